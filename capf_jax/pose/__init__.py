"""Joints and coordinates: skeletons, crops, normalisations, flips, metrics and `Batch`."""
