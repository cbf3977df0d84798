"""Devices, files and signals: what a run needs of its machine."""
