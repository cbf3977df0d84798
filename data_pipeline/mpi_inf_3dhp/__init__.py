"""MPI-INF-3DHP: a TFDS builder that reads the original tree, videos included."""

from data_pipeline.mpi_inf_3dhp.builder import Builder, builder_from_config, layout
from data_pipeline.mpi_inf_3dhp.configuration import Settings
from data_pipeline.mpi_inf_3dhp.tree import LAYOUT

__all__ = ['LAYOUT', 'Builder', 'Settings', 'builder_from_config', 'layout']
