"""Names and versions of a model's ONNX files; every module may import it."""

from typing import Literal

Format = Literal["fp32", "fp16"]

FILES: dict[Format, str] = {"fp32": "onnx/model.onnx", "fp16": "onnx/model_fp16.onnx"}
#: The 8-bit graph of a classifier in OpenVINO's format; the second file contains the weights.
INT8_FILES = ("openvino/int8.xml", "openvino/int8.bin")
OUTPUTS = ("margins", "whole", "map")
"""Outputs of a classifier's graph, in order; see onnx_graph."""
OPSET = 18
GRAPH = 4
"""Incremented when the graphs change, so that older files are replaced."""
