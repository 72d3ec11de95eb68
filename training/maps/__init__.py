"""Learning the map: canvases from labelled pictures, targets, the loss and the training run."""
