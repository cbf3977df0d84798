"""The lifter's methods as a CPU runs them fast."""

REPLACEMENTS = {}
