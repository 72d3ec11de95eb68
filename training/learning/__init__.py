"""Networks, losses, the training loop and the training commands."""
