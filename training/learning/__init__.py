"""Learning: networks, losses, the training loop and the runs."""
