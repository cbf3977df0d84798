"""What the CPU backend of XLA needs to be fast."""
