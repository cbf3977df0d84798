"""The networks: formulas, and no device, file or PyTorch name."""
