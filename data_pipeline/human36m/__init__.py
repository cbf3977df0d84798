"""Human3.6M: a TFDS builder from the files that people have."""

from data_pipeline.human36m.builder import Builder, builder_from_config
from data_pipeline.human36m.configuration import Human36mSettings as Settings
from data_pipeline.human36m.layout import LAYOUT, layout

__all__ = ['LAYOUT', 'Builder', 'Settings', 'builder_from_config', 'layout']
