"""Canvases: pieces of labelled pictures at the scale of the network, and their targets."""
