"""Synthetic people: a TFDS builder that renders them."""

from data_pipeline.datasets.synthetic.builder import Builder
from data_pipeline.datasets.synthetic.settings import Settings

builder_from_config = Builder.from_config

__all__ = ['Builder', 'Settings', 'builder_from_config']
