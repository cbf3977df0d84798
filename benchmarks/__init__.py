"""Speed on this machine: `python -m benchmarks.run`."""
