"""Training, evaluation and calibration of shipdet's models."""
