"""Checks of a dataset before it is built (its source) and afterwards (its records)."""
