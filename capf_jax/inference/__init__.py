"""A weight file's way to use: its format, its networks, and the Estimator."""
