"""What one XLA backend needs to be fast: equal to `models` by test, and unknown to them."""
