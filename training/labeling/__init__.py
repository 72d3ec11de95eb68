"""Label images by eye: a page for accepting, redrawing or rejecting a model's proposals."""
