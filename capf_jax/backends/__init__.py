"""What one XLA backend needs to be fast; equal to `models` by test, and never seen by it."""
