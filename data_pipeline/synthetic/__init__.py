"""The old address of a command; the dataset itself is in data_pipeline/datasets/."""
