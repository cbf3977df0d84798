"""TFDS builder of a user's own images or videos; README.md describes the annotation file."""

from data_pipeline.datasets.own_data.builder import Builder, layout
from data_pipeline.datasets.own_data.settings import Settings

builder_from_config = Builder.from_config

__all__ = ['Builder', 'Settings', 'builder_from_config', 'layout']
