"""Parity of whole models with the published PyTorch code; `run.py` does it for any seed."""
