"""Every model that can be converted: its parts, and the table of its published names."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.inference import model_settings
from capf_jax.inference.people_finder import KIND as PERSON_FINDER
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.cpn import CPN
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.movenet import MoveNet
from capf_jax.models.detectors.movenet_multipose import MoveNetMultiPose
from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from capf_jax.models.detectors.vitpose import ViTPose
from capf_jax.models.lifter import Lifter
from capf_jax.models.poseformer import PoseFormer
from capf_jax.models.published_sizes import CA_PF, OWN_SIZE, ca_pf_name
from capf_jax.models.temporal import TemporalLifter
from capf_jax.pose import skeletons
from configs import base
from converters.cpn_names import cpn_rules
from converters.engine import Path, Rule
from converters.hrnet_names import OFFICIAL_HEAD, hrnet_rules
from converters.lifter_names import lifter_rules
from converters.movenet_names import movenet_rules, multipose_rules
from converters.namings import (
    BACKBONE,
    MMPOSE,
    MMPOSE_1,
    MMPOSE_HEADS,
    OFFICIAL,
    TENSORFLOW,
    TRANSFORMERS,
)
from converters.poseformer_names import poseformer_rules
from converters.resnet_names import resnet_rules
from converters.simplebaseline_names import simplebaseline_rules
from converters.temporal_names import NAMES, TemporalNames, temporal_rules
from converters.vitpose_names import vitpose_rules

DETECTOR, CA_PF_KIND, POSEFORMER = 'detector', 'ca_pf', 'poseformer'
CA_PF_S = 'ca_pf_s'
MULTIPOSE = 'movenet_multipose'
PICTURE = (256, 256)  # (H, W), the pixels at which the person finder's FLOPs are counted
COCO, HUMAN36M, MPI_INF_3DHP = 'coco17', 'h36m17', 'mpi_inf_3dhp17'
# Detectors of the user's own size whose sizes are not read off a state dict, as HRNet's are.
UNREAD = ('vitpose', 'simplebaseline')
# Whose names the keys of each kind of detector may have.
NAMINGS: dict[type[nn.Module], tuple[str, ...]] = {
    HRNet: (OFFICIAL, MMPOSE, MMPOSE_1),
    SimpleBaseline: (OFFICIAL, MMPOSE, MMPOSE_1),
    ResNet: (OFFICIAL, MMPOSE),
    CPN: (OFFICIAL,),
    ViTPose: (OFFICIAL, MMPOSE_1, TRANSFORMERS),
    MoveNet: (TENSORFLOW,),
}
# Leaves that have an entry for every joint, and the axis of the entries in PyTorch.
JOINT_AXES: dict[str, dict[Path, int]] = {
    DETECTOR: {('params', 'head', 'bias'): 0, ('params', 'head', 'norm', 'bias'): 0},
    CA_PF_KIND: {('lifter', 'params', 'position_embedding'): 2},
    CA_PF_S: {('lifter', 'params', 'position_embedding'): 2},
    POSEFORMER: {('params', 'spatial_position'): 1},
    PERSON_FINDER: {},
}


@dataclasses.dataclass(frozen=True)
class Model:
    """One model of one size, and one way of naming its parts in PyTorch.

    Attributes:
      kind: 'detector', 'ca_pf', 'ca_pf_s', 'poseformer' or 'person_finder'.
      name: a catalog name, one of capf_jax/models/published_sizes.py, 'ca_pf_s', 'poseformer' or
        'movenet_multipose'.
      skeleton: name of its skeleton.
      settings: `config.model` of it as a dict; for PoseFormer and the person finder the module's
        fields.
      naming: whose names its keys have, one of namings.TITLES.
      head: whether the detector has its heatmap head; published CA-PF files of HRNet do not.
      crop: (H, W) of its crops, or of the person finder's pictures, pixels; a ViTPose's position
        embedding tells it.
      expert_rows, has_first_row: of a ViTPose's file, see `vitpose_rules`.
      spare: (key, reason) of what the file holds beyond the model and is dropped.
      frames: F of a CA-PF-S; its file holds the lifter alone, which is given context vectors.
      temporal_names: what its keys call the parts over time.
    """

    kind: str
    name: str
    skeleton: str
    settings: Mapping[str, Any]
    naming: str = OFFICIAL
    head: bool = True
    crop: tuple[int, int] = catalog.CROP
    expert_rows: int = 0
    has_first_row: bool = True
    spare: tuple[tuple[str, str], ...] = ()
    frames: int = 1
    temporal_names: TemporalNames = NAMES

    @functools.cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The table.

        Raises:
          UserError: no published model has these parts.
        """
        rules = self._rules()
        known = {rule.key for rule in rules}
        spare = [(key, reason) for key, reason in self.spare if key not in known]
        return (*rules, *(Rule(key, None, reason=reason) for key, reason in spare))

    def _rules(self) -> list[Rule]:
        """The table without what a file holds beyond the model."""
        if self.kind == POSEFORMER:
            return poseformer_rules(self.poseformer)
        if self.kind == PERSON_FINDER:
            return multipose_rules(self.person_finder)
        if self.kind == CA_PF_S:
            return _under('lifter', temporal_rules(self.temporal_lifter, self.temporal_names))
        vitpose = {'expert_rows': self.expert_rows, 'has_first_row': self.has_first_row}
        if self.kind == DETECTOR:
            return detector_rules(self.detector, self.naming, classifier=True, **vitpose)
        backbone = detector_rules(self.detector, self.naming, prefix='backbone.', **vitpose)
        return [
            *_under('detector', backbone),
            *_under('lifter', lifter_rules(self.lifter, 'volume_net.')),
        ]

    def of_joints(self, skeleton: str) -> Model:
        """The same network for the joints of another skeleton.

        Raises:
          UserError: there is no such skeleton.
        """
        skeletons.get(skeleton)
        name = self.name
        if self.kind == CA_PF_KIND:
            name = ca_pf_name(self.settings['detector'], skeleton, self.settings['lifter'])
        return dataclasses.replace(self, skeleton=skeleton, name=name)

    @property
    def poseformer(self) -> PoseFormer:
        """The module of a PoseFormer."""
        return PoseFormer(**self.settings)

    @property
    def temporal_lifter(self) -> TemporalLifter:
        """The module of a CA-PF-S."""
        joints = skeletons.get(self.skeleton)
        return model_settings.temporal_lifter(self.config.model, joints, self.frames)

    @property
    def temporal_inputs(self) -> tuple[Any, ...]:
        """The shapes of what a CA-PF-S is called with for one window."""
        lifter, channels = self.temporal_lifter, self.entry.channels
        rows, joints = self.frames, lifter.num_joints
        joints2d = _float32(rows, joints, lifter.joint_numbers)
        in_crop = _float32(rows, joints, 2)
        if lifter.runs_deformable:  # Parameters do not depend on the size of the maps.
            return joints2d, in_crop, tuple(_float32(rows, 2, 2, width) for width in channels)
        widths = [self.settings['projection_channels'] or width for width in channels]
        return joints2d, in_crop, (), tuple(_float32(rows, joints, width) for width in widths)

    @property
    def person_finder(self) -> MoveNetMultiPose:
        """The module of a person finder."""
        return MoveNetMultiPose(**self.settings)

    @property
    def config(self) -> ConfigDict:
        """The part of a configuration that describes a detector or a CA-PF."""
        return ConfigDict({'skeleton': self.skeleton, 'model': dict(self.settings)})

    @property
    def entry(self) -> catalog.DetectorEntry:
        """The catalog's entry for the detector, or for a CA-PF's detector."""
        return model_settings.detector_entry(self.config.model)

    @property
    def usual_crop(self) -> tuple[int, int]:
        """(H, W) of the crops that its published files take, pixels."""
        if self.kind == PERSON_FINDER:
            return PICTURE
        return catalog.CROP if self.kind == POSEFORMER else self.entry.crop

    @property
    def detector(self) -> nn.Module:
        """The module of a detector or of a CA-PF's backbone."""
        inside = self.kind == CA_PF_KIND
        joints = skeletons.get(self.skeleton)
        if inside:
            joints = model_settings.detector_joints(self.config.model, joints)
        module = self.entry.build(len(joints))
        return module if self.head else module.clone(heatmaps=None)

    @property
    def detector_has_joints(self) -> bool:
        """Whether a detector makes heatmaps."""
        return self.head and self.entry.heatmaps is not None

    @property
    def lifter(self) -> Lifter:
        """The module of a CA-PF's lifter."""
        return model_settings.lifter(self.config.model, skeletons.get(self.skeleton))

    def expected(self) -> dict[str, Any]:
        """The Flax variables as shapes, in the tree that weight files hold."""
        # The key is abstract, which avoids that JAX starts a backend and takes memory for it.
        key = jax.eval_shape(lambda: jax.random.key(0))
        if self.kind == POSEFORMER:
            model = self.poseformer
            joints = _float32(1, model.frames, model.num_joints, 2)
            return jax.eval_shape(model.init, key, joints)
        if self.kind == PERSON_FINDER:
            return jax.eval_shape(self.person_finder.init, key, _float32(1, *self.crop, 3))
        if self.kind == CA_PF_S:
            init = self.temporal_lifter.init
            return {'lifter': jax.eval_shape(init, key, *self.temporal_inputs)}
        detection, variables = jax.eval_shape(
            self.detector.init_with_output, key, _float32(1, *self.crop, 3)
        )
        if self.kind == DETECTOR:
            return variables
        lifter = self.lifter
        joints = _float32(1, lifter.num_joints, lifter.joint_numbers)
        joints_crop = _float32(1, lifter.num_joints, 2)
        lifter_variables = jax.eval_shape(lifter.init, key, joints, joints_crop, detection.maps)
        return {'detector': variables, 'lifter': lifter_variables}


def detector(name: str, naming: str = OFFICIAL, hrnet: Mapping[str, Any] | None = None) -> Model:
    """A detector of the catalog; `hrnet` has the sizes of the detector called 'hrnet'."""
    crop = catalog.get(name).crop
    return Model(DETECTOR, name, COCO, settings(name, hrnet), naming, crop=crop)


def multipose() -> Model:
    """The person finder MoveNet MultiPose."""
    fields = {'num_joints': 17}
    return Model(PERSON_FINDER, MULTIPOSE, COCO, fields, TENSORFLOW, crop=PICTURE)


def settings(
    detector: str,
    hrnet: Mapping[str, Any] | None = None,
    lifter: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """`config.model` as a dict: the base configuration's with these values.

    Args:
      detector: name of the catalog.
      hrnet: fields of `config.model.hrnet` that differ from the base configuration's.
      lifter: fields of `config.model.lifter` that differ likewise.
      **fields: of `config.model` itself that differ likewise.
    """
    model = base.get_config().model.to_dict()
    model['detector'] = detector
    model['detector_skeleton'] = COCO  # the joints that published detectors learnt
    model['hrnet'] |= hrnet or {}
    model['lifter'] |= lifter or {}
    return model | fields


def names() -> tuple[str, ...]:
    """The names of all models to which a file can be converted."""
    detectors = [
        name
        for name in catalog.names()
        if has_table(catalog.get(name).build(17)) and name not in UNREAD
    ]
    return (*detectors, *(size.name for size in CA_PF), OWN_SIZE, CA_PF_S, POSEFORMER, MULTIPOSE)


def has_table(module: nn.Module) -> bool:
    """Whether files of this kind of detector have been published that can be converted."""
    return type(module) in NAMINGS


def detector_rules(
    module: nn.Module,
    naming: str = OFFICIAL,
    prefix: str = '',
    classifier: bool = False,
    **vitpose: Any,
) -> list[Rule]:
    """The table of a detector.

    Args:
      module: a detector of the catalog.
      naming: whose names the keys have.
      prefix: what stands before every key.
      classifier: whether a file of a network without heatmaps may hold the head of a classifier.
      vitpose: further arguments of `vitpose_rules`, for a ViTPose.

    Raises:
      UserError: no such detector's file has been published, or not with these names.
    """
    kind = type(module).__name__
    if not has_table(module):
        raise UserError(
            f'no PyTorch file of a {kind} has been published, so that it can neither be converted '
            f'nor exported; those that can are {", ".join(names())}'
        )
    if naming not in NAMINGS[type(module)]:
        raise UserError(
            f'keys of a {kind} have no names {naming!r}; known are '
            f'{", ".join(NAMINGS[type(module)])}: convert the file again'
        )
    if isinstance(module, ViTPose):
        return vitpose_rules(module, prefix, naming, **vitpose)
    if isinstance(module, CPN):
        return cpn_rules(module, prefix)
    if isinstance(module, SimpleBaseline):
        return simplebaseline_rules(module, prefix, naming)
    backbone = prefix if naming == OFFICIAL else prefix + BACKBONE
    if isinstance(module, ResNet):
        return resnet_rules(module, backbone, classifier=classifier)
    if isinstance(module, MoveNet):
        return movenet_rules(module, prefix)
    assert isinstance(module, HRNet)
    heatmaps = module.heatmaps is not None
    head = f'{prefix}{MMPOSE_HEADS[naming]}final_layer' if naming != OFFICIAL else OFFICIAL_HEAD
    return hrnet_rules(module, backbone, heatmaps, head, classifier=classifier and not heatmaps)


def _under(part: str, rules: list[Rule]) -> list[Rule]:
    """The rules of a part of a model, whose leaves lie under its name."""
    return [
        rule if rule.path is None else dataclasses.replace(rule, path=(part, *rule.path))
        for rule in rules
    ]


def _float32(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)
