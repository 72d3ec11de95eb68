"""Draw the synthetic harbor of the provider "sample": layout, sea, land, ships, whole scene.

    python -m training.harbor --out shipdet/imagery/sample

The command writes the scene and its ground truth to the files that the package serves.
"""
