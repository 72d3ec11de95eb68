"""Names of backends, devices and number formats, defined here only."""

from typing import Literal

BackendName = Literal["torch", "onnx", "openvino"]
Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16", "fp16", "int8"]

#: Values of the settings; "auto" depends on the machine.
BackendSetting = Literal["auto", BackendName]
DeviceSetting = Literal["auto", Device]
PrecisionSetting = Literal["auto", Precision]

#: Values of a request; "" means the configured one.
Backend = Literal["", BackendSetting]
DeviceChoice = Literal["", DeviceSetting]
PrecisionChoice = Literal["", PrecisionSetting]
