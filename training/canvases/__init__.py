"""Canvases: pieces of labeled pictures at the scale of the network, and their targets."""
