"""The TFDS builder of MPI-INF-3DHP."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.pose.skeletons import MPI_INF_3DHP17
from data_pipeline import person_crops
from data_pipeline.mpi_inf_3dhp import tree
from data_pipeline.mpi_inf_3dhp.configuration import Settings


class Builder(person_crops.Builder):
    """MPI-INF-3DHP (Mehta et al., 3DV 2017): S1 to S8 to train on, TS1 to TS6 to test on."""

    name = 'mpi_inf_3dhp'
    VERSION = tfds.core.Version('1.0.0')
    SKELETON = MPI_INF_3DHP17
    BOX_SOURCE = '2 m around the true pelvis (annot3)'

    def _splits(self) -> Mapping[str, Sequence[person_crops.Clip]]:
        settings = self.settings
        found = tree.survey(pathlib.Path(settings.source), settings)
        for sentence in found.recognised:
            print(sentence, file=sys.stderr)
        if found.problems:
            raise person_crops.InputError(settings.source, found.problems)
        return found.clips

    def _metadata(self) -> dict[str, Any]:
        return {'targets': self.settings.targets}


def builder_from_config(data: ConfigDict) -> Builder:
    """The builder of `config.data`; nothing is read yet, and the source is not needed to read.

    Raises:
      ValueError: a field of `data.builder` is unknown or senseless.
    """
    settings = person_crops.from_fields(Settings, dict(data.builder), Builder.name)
    config = person_crops.BuilderConfig(name=settings.name, settings=settings)
    return Builder(data_dir=data.dir, config=config)


def layout(source: str | pathlib.Path, **fields: Any) -> list[str]:
    """All that is missing or wrong in a folder; empty if it can be built.

    Takes minutes: every label is read and every extracted frame opened as far as its header.

    Args:
      source: the folder.
      **fields: of Settings, for a part of the dataset.
    """
    return tree.survey(pathlib.Path(source), Settings(**fields), open_images=True).problems
