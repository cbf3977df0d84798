"""PyTorch weights -> Flax weights: one strict engine, and one table of names for each model."""
