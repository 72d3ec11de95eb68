"""Evaluate models on held-out places."""
