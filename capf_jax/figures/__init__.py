"""Pictures: people, sampling points, error curves."""
