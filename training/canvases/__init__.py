"""Training canvases: crops of labeled images at the scale of the network, and their targets."""
