"""Human3.6M: a TFDS builder from the files that people have."""
