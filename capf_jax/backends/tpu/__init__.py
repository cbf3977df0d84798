"""What a TPU needs to be fast: methods in place of the models' own, on the same parameters."""
