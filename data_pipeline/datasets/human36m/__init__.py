"""Human3.6M: a TFDS builder from the files that people have."""

from data_pipeline.datasets.human36m.builder import Builder
from data_pipeline.datasets.human36m.layout import LAYOUT, layout
from data_pipeline.datasets.human36m.settings import Settings

builder_from_config = Builder.from_config

__all__ = ['LAYOUT', 'Builder', 'Settings', 'builder_from_config', 'layout']
