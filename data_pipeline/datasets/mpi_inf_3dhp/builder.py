"""The TFDS builder of MPI-INF-3DHP."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds

from capf_jax.pose.skeletons import MPI_INF_3DHP17, Skeleton
from data_pipeline import building
from data_pipeline.datasets.mpi_inf_3dhp import tree
from data_pipeline.datasets.mpi_inf_3dhp.settings import Settings


class Builder(building.Builder):
    """MPI-INF-3DHP (Mehta et al., 3DV 2017): S1 to S8 to train on, TS1 to TS6 to test on."""

    name = 'mpi_inf_3dhp'
    VERSION = tfds.core.Version('1.0.0')
    SETTINGS = Settings
    BOX_SOURCE = '2 m around the true pelvis (annot3)'

    def _skeleton(self) -> Skeleton:
        return MPI_INF_3DHP17

    def _splits(self) -> Mapping[str, Sequence[building.Clip]]:
        settings = self.settings
        survey = tree.survey(pathlib.Path(settings.source), settings)
        for sentence in survey.recognised:
            print(sentence, file=sys.stderr)
        if survey.problems:
            raise building.InputError(settings.source, survey.problems)
        return survey.clips

    def _metadata(self) -> dict[str, Any]:
        return {'targets': self.settings.targets}


def layout(source: str | pathlib.Path, **fields: Any) -> list[str]:
    """All that is missing or wrong in a folder; empty if it can be built.

    This takes minutes, since every label and the header of every extracted frame are read.

    Args:
      source: the folder.
      **fields: of Settings, for a part of the dataset.
    """
    return tree.survey(pathlib.Path(source), Settings(**fields), open_images=True).problems
