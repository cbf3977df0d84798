"""Scores: protocols, results, tables, and predictions of any program."""
