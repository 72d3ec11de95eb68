"""The synthetic harbor of the provider "sample": layout, sea, land, ships, and the scene of them.

    python -m training.harbor --out shipdet/imagery/sample

draws the scene again and writes it, with its truth, to the files that the package serves.
"""
