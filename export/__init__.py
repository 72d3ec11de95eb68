"""Getting models into hub layout, into ONNX and onto the hub."""
