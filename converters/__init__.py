"""PyTorch weights -> Flax weights: one strict engine, one table of names a model."""
