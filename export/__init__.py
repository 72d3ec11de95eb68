"""Convert models to hub layout, export them to ONNX and 8 bits, and upload them to the hub."""
