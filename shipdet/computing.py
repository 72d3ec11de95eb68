"""What can run the models, where, and in which number format; each name is written here only."""

from typing import Literal

BackendName = Literal["torch", "onnx", "openvino"]
Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16", "fp16", "int8"]

#: What the settings say; "auto" follows from the machine.
BackendSetting = Literal["auto", BackendName]
DeviceSetting = Literal["auto", Device]
PrecisionSetting = Literal["auto", Precision]

#: What a request says; "" is the configured one.
Backend = Literal["", BackendSetting]
DeviceChoice = Literal["", DeviceSetting]
PrecisionChoice = Literal["", PrecisionSetting]
