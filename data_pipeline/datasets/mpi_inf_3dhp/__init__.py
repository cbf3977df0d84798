"""MPI-INF-3DHP: a TFDS builder that reads the original tree, videos included."""

from data_pipeline.datasets.mpi_inf_3dhp.builder import Builder, layout
from data_pipeline.datasets.mpi_inf_3dhp.settings import Settings
from data_pipeline.datasets.mpi_inf_3dhp.tree import LAYOUT

builder_from_config = Builder.from_config

__all__ = ['LAYOUT', 'Builder', 'Settings', 'builder_from_config', 'layout']
