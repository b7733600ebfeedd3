"""A home's part in each recipe of model training: bounded numbers out of its own examples. Loaded for a round only."""
