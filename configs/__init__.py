"""Configurations: base fields once, one file an experiment."""
