"""Pixels and labels: TFDS builders, crops, normalisation and the loader."""
