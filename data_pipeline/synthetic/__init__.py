"""Synthetic people: a TFDS builder that renders them."""

from data_pipeline.synthetic.builder import Builder, builder_from_config

__all__ = ['Builder', 'builder_from_config']
