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
from capf_jax.models.published_sizes import CA_PF, OWN_SIZE
from capf_jax.pose import skeletons
from configs import base
from converters.cpn_names import cpn_rules
from converters.engine import Path, Rule
from converters.hrnet_names import MMPOSE_HEAD, MMPOSE_PREFIX, hrnet_rules
from converters.lifter_names import lifter_rules
from converters.movenet_names import movenet_rules, multipose_rules
from converters.poseformer_names import poseformer_rules
from converters.resnet_names import resnet_rules
from converters.simplebaseline_names import simplebaseline_rules
from converters.vitpose_names import vitpose_rules

DETECTOR, CA_PF_KIND, POSEFORMER = 'detector', 'ca_pf', 'poseformer'
MULTIPOSE = 'movenet_multipose'
COCO, HUMAN36M, MPI_INF_3DHP = 'coco17', 'h36m17', 'mpi_inf_3dhp17'
OFFICIAL, MMPOSE, TENSORFLOW = 'official', 'mmpose', 'tensorflow'
# Leaves that have an entry for every joint, and the axis of the entries in PyTorch.
JOINT_AXES: dict[str, dict[Path, int]] = {
    DETECTOR: {('params', 'head', 'bias'): 0, ('params', 'head', 'norm', 'bias'): 0},
    CA_PF_KIND: {('lifter', 'params', 'position_embedding'): 2},
    POSEFORMER: {('params', 'spatial_position'): 1},
    PERSON_FINDER: {},
}


@dataclasses.dataclass(frozen=True)
class Model:
    """One model of one size, and one way of naming its parts in PyTorch.

    Attributes:
      kind: 'detector', 'ca_pf', 'poseformer' or 'person_finder'.
      name: a catalog name, one of capf_jax/models/published_sizes.py, 'poseformer' or
        'movenet_multipose'.
      skeleton: name of its skeleton.
      settings: `config.model` of it as a dict; for PoseFormer and the person finder the module's
        fields.
      naming: whose names its keys have, 'official', 'mmpose' or 'tensorflow'.
      head: whether the detector has its heatmap head; published CA-PF files of HRNet do not.
    """

    kind: str
    name: str
    skeleton: str
    settings: Mapping[str, Any]
    naming: str = OFFICIAL
    head: bool = True

    @functools.cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The table.

        Raises:
          UserError: no published model has these parts.
        """
        if self.kind == POSEFORMER:
            return tuple(poseformer_rules(self.poseformer))
        if self.kind == PERSON_FINDER:
            return tuple(multipose_rules(self.person_finder))
        if self.kind == DETECTOR:
            return tuple(detector_rules(self.detector, self.naming, classifier=True))
        backbone = detector_rules(self.detector, self.naming, prefix='backbone.')
        return (
            *_under('detector', backbone),
            *_under('lifter', lifter_rules(self.lifter, 'volume_net.')),
        )

    @property
    def poseformer(self) -> PoseFormer:
        """The module of a PoseFormer."""
        return PoseFormer(**self.settings)

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
    def detector(self) -> nn.Module:
        """The module of a detector or of a CA-PF's backbone."""
        inside = self.kind == CA_PF_KIND
        joints = skeletons.get(self.skeleton)
        if inside:
            joints = model_settings.detector_joints(self.config.model, joints)
        module = self.entry.build(len(joints))
        return module if self.head else module.clone(heatmaps=None)

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
            return jax.eval_shape(self.person_finder.init, key, _float32(1, 256, 256, 3))
        detection, variables = jax.eval_shape(
            self.detector.init_with_output, key, _float32(1, *self.entry.crop, 3)
        )
        if self.kind == DETECTOR:
            return variables
        lifter = self.lifter
        joints = _float32(1, lifter.num_joints, 4 if lifter.detector_joints else 2)
        joints_crop = _float32(1, lifter.num_joints, 2)
        lifter_variables = jax.eval_shape(lifter.init, key, joints, joints_crop, detection.maps)
        return {'detector': variables, 'lifter': lifter_variables}


def detector(name: str, naming: str = OFFICIAL, hrnet: Mapping[str, Any] | None = None) -> Model:
    """A detector of the catalog; `hrnet` has the sizes of the detector called 'hrnet'."""
    return Model(DETECTOR, name, COCO, settings(name, hrnet), naming)


def multipose() -> Model:
    """The person finder MoveNet MultiPose."""
    return Model(PERSON_FINDER, MULTIPOSE, COCO, {'num_joints': 17}, TENSORFLOW)


def settings(
    detector: str,
    hrnet: Mapping[str, Any] | None = None,
    lifter: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`config.model` as a dict: the base configuration's with these values.

    Args:
      detector: name of the catalog.
      hrnet: fields of `config.model.hrnet` that differ from the base configuration's.
      lifter: fields of `config.model.lifter` that differ likewise.
    """
    model = base.get_config().model.to_dict()
    model['detector'] = detector
    model['detector_skeleton'] = COCO  # the joints that published detectors learnt
    model['hrnet'] |= hrnet or {}
    model['lifter'] |= lifter or {}
    return model


def names() -> tuple[str, ...]:
    """The names of all models to which a file can be converted."""
    return (*catalog.names(), *(size.name for size in CA_PF), OWN_SIZE, POSEFORMER, MULTIPOSE)


def detector_rules(
    module: nn.Module, naming: str = OFFICIAL, prefix: str = '', classifier: bool = False
) -> list[Rule]:
    """The table of a detector.

    Args:
      module: a detector of the catalog.
      naming: whose names the keys have.
      prefix: what stands before every key.
      classifier: whether a file of a network without heatmaps may hold the head of a classifier.
    """
    if isinstance(module, HRNet):
        heatmaps = module.heatmaps is not None
        if naming == MMPOSE:
            return hrnet_rules(module, f'{prefix}{MMPOSE_PREFIX}', heatmaps, MMPOSE_HEAD)
        return hrnet_rules(module, prefix, heatmaps, classifier=classifier and not heatmaps)
    if isinstance(module, ResNet):
        return resnet_rules(module, prefix, classifier=classifier)
    tables = {
        CPN: cpn_rules,
        MoveNet: movenet_rules,
        SimpleBaseline: simplebaseline_rules,
        ViTPose: vitpose_rules,
    }
    return tables[type(module)](module, prefix)


def _under(part: str, rules: list[Rule]) -> list[Rule]:
    """The rules of a part of a model, whose leaves lie under its name."""
    return [
        rule if rule.path is None else dataclasses.replace(rule, path=(part, *rule.path))
        for rule in rules
    ]


def _float32(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)
