"""The detectors' methods as a CPU runs them fast."""

REPLACEMENTS = {}
