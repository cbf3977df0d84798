"""What a weight file of this project says of itself, as one of the models that can be exported."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from capf_jax.errors import UserError
from capf_jax.inference import networks
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.hrnet import HRNet
from converters import namings, tables
from converters.tables import Model
from converters.temporal_names import NAMES, TemporalNames


def model_of(
    path: str | os.PathLike, variables: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Model:
    """The model that a weight file says it holds.

    Args:
      path: the file, for the error.
      variables: its tensors, of which it matters only whether a detector is among them.
      metadata: what the file says of itself.

    Raises:
      UserError: it does not say so, or no published model has its parts.
    """
    names = ('kind', 'name', 'skeleton', 'model')
    missing = [name for name in names if metadata.get(name) is None]
    if not missing and metadata['kind'] not in tables.JOINT_AXES:
        missing = ['kind']
    if missing:
        raise UserError(
            f'{path} does not say its {", ".join(missing)}, so that it cannot be exported: make '
            f'it with python -m converters.convert or python -m capf_jax.train of this version'
        )
    is_ca_pf = metadata['kind'] == tables.CA_PF_KIND
    if is_ca_pf and not variables.get('detector'):
        raise UserError(
            f'{path} is a lifter of coordinates alone, which was never published: there is '
            f'no PyTorch layout for it'
        )
    is_of_movenet = metadata['kind'] != tables.CA_PF_S and _is_of_movenet(metadata)
    if metadata.get('naming') == namings.TENSORFLOW or is_of_movenet:
        raise UserError(
            f'{path} holds a MoveNet, which was published for TensorFlow alone: there is no '
            f'PyTorch layout for it'
        )
    fields = [metadata[name] for name in names]
    model = Model(
        *fields,
        naming=metadata.get('naming', namings.OFFICIAL),
        crop=networks.crop_size(metadata) or catalog.CROP,
        has_first_row=bool(metadata.get('has_first_row', True)),
    )
    try:
        if model.kind == tables.CA_PF_S:
            model = dataclasses.replace(
                model,
                frames=int(metadata['frames']),
                temporal_names=TemporalNames(*metadata.get('temporal_names', NAMES)),
            )
        if is_ca_pf and isinstance(model.detector, HRNet):
            model = dataclasses.replace(model, head=False)
        _ = model.rules
    except (KeyError, AttributeError, TypeError) as error:
        raise UserError(
            f'{path} does not describe its {model.kind} completely ({error}): convert or train it '
            f'again'
        ) from error
    return model


def _is_of_movenet(metadata: Mapping[str, Any]) -> bool:
    model = metadata['model']
    return isinstance(model, Mapping) and str(model.get('detector')).startswith('movenet')
