"""The weights that an evaluation or a training run begins from, read from any weight file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.inference import networks, units
from capf_jax.inference.detector_weights import check_detector
from capf_jax.inference.weight_files import differing_tensors, load_weights
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.runtime import configuration, run_folder

# Kind of a weight file -> config.task.
TASKS = {
    'ca_pf': 'lifter',
    'detector': 'detector',
    'classifier': 'classifier',
    'ca_pf_s': 'sequence',
    'poseformer': 'sequence',
}
BARE = {'detector': 'detector', 'poseformer': 'lifter'}  # kinds whose files hold one part alone
HEADS = {'head', 'heatmaps'}  # what detectors call the part that gives their heatmaps


@dataclasses.dataclass(frozen=True, eq=False)
class StartWeights:
    """What a weight file holds for a task.

    Attributes:
      path: the file.
      metadata: what it says of itself.
      parts: 'lifter', which gives metres, 'detector', 'classifier' and 'projection' -> their
        variables, NumPy arrays; only those that it holds.
    """

    path: str
    metadata: Mapping[str, Any]
    parts: Mapping[str, Any]

    @property
    def task(self) -> str:
        """`config.task` of what the file holds."""
        return TASKS[self.metadata['kind']]

    @property
    def has_head(self) -> bool:
        """Whether its detector has a last layer of heatmaps, as published CA-PF files lack it."""
        params = self.parts.get('detector', {}).get('params', {})
        return bool(HEADS & params.keys())

    @property
    def variables(self) -> Mapping[str, Any]:
        """What a task keeps in such a file: all parts, or the only one."""
        part = BARE.get(self.metadata['kind'])
        return self.parts if part is None else self.parts[part]

    def check(self, expected: Mapping[str, Any]) -> None:
        """UserError unless the variables are exactly those of the model that the file describes.

        Args:
          expected: the shapes of the variables that a weight file of this model holds.
        """
        is_lifter_alone = self.metadata['kind'] == 'ca_pf_s' and not self.parts.get('detector')
        if is_lifter_alone and expected.get('detector'):
            raise UserError(
                f'{self.path} holds the lifter of a CA-PF-S alone, without the detector whose '
                'context it was trained on: give the file of a training run, or begin one from '
                'this file by config.training.start'
            )
        different = differing_tensors(self.variables, expected)
        if different:
            raise UserError(
                f'the tensors of {self.path} are not those of the model that it describes: '
                f'{len(different)} differ, first {different[0]}; convert or train it again'
            )

    def taken(self, part: str) -> tuple[str, ...]:
        """The names of the parts that training takes.

        Args:
          part: `config.training.start_part`: 'lifter' or 'detector', or 'all' that there are.

        Raises:
          UserError: the file does not hold the part.
        """
        held = tuple(
            name for name in ('lifter', 'detector') if self.parts.get(name)
        )  # A projection goes with its lifter.
        if part != 'all' and part not in held:
            raise UserError(
                f'{self.path} holds no {part}, only a {" and a ".join(held)}: give another file '
                'as training.start, or another training.start_part'
            )
        return held if part == 'all' else (part,)

    def lifter(self, shapes: Any, joints: str, levels: Sequence[int] = ()) -> Any:
        """The lifter's variables, float32, which give metres.

        Args:
          shapes: the tree of shapes that the lifter of the configuration has.
          joints: the name of its skeleton.
          levels: the feature maps that it samples; () where it samples none.

        Raises:
          UserError: the file holds other tensors, shapes, joints or levels.
        """
        if self.metadata['skeleton'] != joints:
            raise UserError(
                f'{self.path} lifts the joints of {self.metadata["skeleton"]!r}, and '
                f'config.skeleton is {joints!r}: give a file of the same joints'
            )
        own_levels = self._levels()
        if levels and own_levels and own_levels != tuple(levels):
            # Tensors of other levels may have the same shapes.
            raise UserError(
                f'the lifter of {self.path} samples the feature maps {own_levels}, and '
                f'config.model.lifter.levels is {tuple(levels)}: set the levels to those of the '
                'file, or give another file'
            )
        different = differing_tensors(self.parts['lifter'], shapes)
        if different:
            name = self.metadata.get('name', 'which has no name')
            raise UserError(
                f'the lifter of {self.path} ({name}) is another one than config.model describes: '
                f'{len(different)} tensors differ, first {different[0]}; set config.model to that '
                'of the file, or give another file'
            )
        return jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), self.parts['lifter'])

    def _levels(self) -> tuple[Any, ...]:
        """The feature maps that the lifter was trained on; () where the file does not tell."""
        lifter = self.metadata['model'].get('lifter')
        levels = lifter.get('levels') if isinstance(lifter, Mapping) else None
        return tuple(levels) if isinstance(levels, (list, tuple)) else ()

    def projection_of(self, model: ContextAwarePoseFormer) -> Any:
        """The variables of a model's projection, float32, from this file's lifter or projection.

        Args:
          model: a model with a projection.

        Raises:
          UserError: the file holds no lifter that embeds context, or one of other sizes or levels.
        """
        assert model.projection is not None  # the callers have looked
        part = self.parts.get('projection') or self.parts.get('lifter') or {}
        names = [f'context_embedding_{place}' for place in range(len(model.projection.levels))]
        params = part.get('params', {})
        embeddings = {name: params[name] for name in names if name in params}
        channels = [model.entry.channels[level] for level in model.projection.levels]
        shapes = {
            name: {
                'kernel': jax.ShapeDtypeStruct((width, model.projection.channels), jnp.float32),
                'bias': jax.ShapeDtypeStruct((model.projection.channels,), jnp.float32),
            }
            for name, width in zip(names, channels, strict=True)
        }
        if len(params) < len(names) or differing_tensors(embeddings, shapes):
            raise UserError(
                f'{self.path} holds no projection of the context of {model.entry.name} to '
                f'{model.projection.channels} numbers a level: give the file of a single-frame '
                'lifter with these channels, or other model.projection_channels'
            )
        return {'params': jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), embeddings)}

    def detector(self, shapes: Any, joints: str, name: str) -> Any:
        """The detector's variables, float32.

        Args:
          shapes: the tree of shapes that the detector of the configuration has.
          joints: the name of the skeleton whose joints it must detect; '' for any.
          name: the configuration's name of the detector.

        Raises:
          UserError: the file holds other tensors, shapes or joints.
        """
        model, metadata = self.metadata['model'], dict(self.metadata)
        if 'lifter' in self.parts:  # The joints of the file are the lifter's.
            metadata['skeleton'] = model.get('detector_skeleton') or joints
        return check_detector(self.path, self.parts['detector'], metadata, shapes, joints, name)


def read(path: str) -> StartWeights:
    """Reads a weight file of `converters.convert` or of a training run.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is no weight file of ours, or one that finds people.
    """
    variables, metadata = load_weights(path)
    kind = metadata.get('kind')
    if kind == 'person_finder':
        raise UserError(
            f'{path} finds the people of whole pictures, and no task here trains or scores that: '
            'python -m capf_jax.predict takes it as --finder_weights'
        )
    missing = [name for name in ('skeleton', 'model') if name not in metadata]
    if kind not in TASKS or missing:
        raise UserError(
            f'{path} does not say what model it holds (kind, skeleton, model): make it with '
            'python -m converters.convert, or train again'
        )
    parts: dict[str, Any] = {BARE[kind]: variables} if kind in BARE else dict(variables)
    try:
        unit = units.unit_of(metadata)
    except UserError as error:
        raise UserError(f'{path} cannot be used: {error}') from error
    if 'lifter' in parts:
        parts['lifter'] = units.in_unit(parts['lifter'], unit, 'm')
    return StartWeights(path, metadata, parts)


def described(config: ConfigDict, weights: StartWeights) -> ConfigDict:
    """A configuration with the model of a weight file; its data and evaluation stay.

    Args:
      config: a whole configuration, whose joints must be those of the file.
      weights: the file.

    Raises:
      UserError: the file is for other joints, or it describes no model.
    """
    config, metadata = config.copy_and_resolve_references(), weights.metadata
    if metadata['skeleton'] != config.skeleton:
        raise UserError(
            f'{weights.path} is for the joints of {metadata["skeleton"]!r}, and config.skeleton is '
            f'{config.skeleton!r}: give the --config of a dataset with the joints of the file'
        )
    try:
        if metadata['kind'] == 'poseformer':
            return _described_poseformer(config, metadata)
        for section, fields in networks.model_section(metadata).items():
            if isinstance(fields, ConfigDict):  # An older file may lack fields.
                config.model[section].update(fields)
            else:
                config.model[section] = fields
        if metadata['kind'] == 'ca_pf_s':
            _describe_window(config, metadata)
    except (KeyError, AttributeError, TypeError) as error:  # whatever stands in a stranger's JSON
        raise UserError(
            f'{weights.path} does not describe its model completely ({error}): convert or train it '
            'again'
        ) from error
    told = configuration.flatten({'model': metadata['model']})
    for field, before in run_folder.NEWER.items():
        if field.startswith('model.') and field not in told:  # a file of before this field
            value = tuple(before) if isinstance(before, list) else before
            config.update_from_flattened_dict({field: value})
    config.task, config.training.target_unit = weights.task, 'm'
    config.model.detector_head = keeps_head(config, weights)
    return config


def _describe_window(config: ConfigDict, metadata: Mapping[str, Any]) -> None:
    """Puts the windows that a file was trained for into a configuration.

    A published file was trained for neighbouring frames around the target.
    """
    config.data.frames = int(metadata.get('frames') or metadata['model']['frames'])
    config.data.frame_step = int(metadata.get('frame_step', 1))
    config.data.causal = bool(metadata.get('causal', False))


def _described_poseformer(config: ConfigDict, metadata: Mapping[str, Any]) -> ConfigDict:
    """See `described`; the file of a PoseFormer has the fields of the module as its model."""
    model = metadata['model']
    for name in ('channels', 'layers', 'heads', 'mlp_ratio', 'drop_path'):
        config.model.lifter[name] = model[name]
    config.model.sequence_lifter = 'poseformer'
    config.model.frame, config.model.joints2d = 'camera', 'dataset'
    config.data.pictures = config.data.features = False
    config.task, config.training.target_unit = 'sequence', 'm'
    _describe_window(config, metadata)
    return config


def keeps_head(config: ConfigDict, weights: StartWeights) -> bool:
    """Whether the detector of a configuration keeps its head of heatmaps with these weights.

    It does not where a file of a CA-PF holds a detector without one.
    """
    lacks = 'detector' in weights.parts and not weights.has_head
    return config.model.detector_head and not ('lifter' in weights.parts and lacks)


def check_crops(weights: StartWeights, size: tuple[int, int]) -> None:
    """UserError where the crops of a dataset, (H, W) pixels, are not those that a file takes."""
    takes = networks.crop_size(weights.metadata)
    if takes and takes != size:
        raise UserError(
            f'{weights.path} takes crops of {takes[0]}x{takes[1]} pixels, and those of the dataset '
            f'have {size[0]}x{size[1]}: give a dataset of crops of that size'
        )
