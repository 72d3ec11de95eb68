"""How good a model is on places that it has not seen."""
