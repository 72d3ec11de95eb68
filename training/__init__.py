"""The laboratory in which shipdet's classifier is trained, measured and calibrated."""
