"""TFDS builder of a user's own images or videos; README.md describes the annotation file."""

from data_pipeline.own_data.builder import Builder, builder_from_config, layout

__all__ = ['Builder', 'builder_from_config', 'layout']
