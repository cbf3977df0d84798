"""Which network of an `Estimator` does what is asked of it.

Files hold different networks. Where one is missing, a UserError says which files have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from capf_jax.errors import UserError
from capf_jax.inference.networks import Network
from capf_jax.models import ca_pf
from capf_jax.models.detectors import catalog

if TYPE_CHECKING:
    from capf_jax.inference.estimator import Estimator

_LIFTERS = 'files of Context-Aware PoseFormer'


def map_maker(estimator: Estimator) -> Network:
    """The detector whose maps a lifter uses.

    Raises:
      UserError: the file holds no detector.
    """
    holders = f'files of {_detectors()} and {_LIFTERS}'
    return _need(estimator, estimator.detector, 'feature_maps', holders)


def joint_finder(estimator: Estimator) -> Network:
    """The detector, which finds joints.

    Raises:
      UserError: the file holds no detector, or one without its heatmap head.
    """
    holders = f'files of {_detectors(with_heatmaps=True)}'
    detector = _need(estimator, estimator.detector, 'heatmaps and joints', holders)
    assert detector.entry is not None  # every detector has an entry
    if detector.entry.heatmaps is None:
        raise UserError(
            f'{estimator.path} holds no heatmap head, so that it has no heatmaps and joints; '
            f'those are in {holders}'
        )
    return detector


def lifter(estimator: Estimator) -> Network:
    """The lifter of joints that are normalised by the image.

    Raises:
      UserError: the file holds no lifter, or one that takes other joints.
    """
    network = _need(estimator, estimator.lifter, 'lift', _LIFTERS)
    if estimator.frame != ca_pf.CAMERA:
        raise UserError(
            f'the poses of {estimator.path} are in the frame of the viewing ray, and its joints '
            'are not normalised by the image: use lift_crops'
        )
    if network.module.detector_joints:
        raise UserError(
            f"{estimator.path} was trained with the detector's own joints as further input; "
            f'evaluate it with python -m capf_jax.evaluate, which knows where the crops lie'
        )
    return network


def crop_lifter(estimator: Estimator, *, with_joints: bool) -> Network:
    """The lifter of crops alone, whose poses are in the frame of the viewing ray.

    Args:
      estimator: the file.
      with_joints: whether it is to lift other joints than those of its detector.

    Raises:
      UserError: the file holds no lifter, one of another frame, or one that needs joints.
    """
    network = _need(estimator, estimator.lifter, 'lift_crops', _LIFTERS)
    assert network.whole is not None  # every lifter has its model
    if network.whole.frame != ca_pf.VIEWING_RAY:
        raise UserError(
            f'the poses of {estimator.path} are in the frame of the camera, which needs to know '
            'where in the image the crops lie: use lift'
        )
    if not with_joints and network.whole.conversion is None:
        raise UserError(
            f'{estimator.path} was not trained with the joints of its detector: give joints2d_crop'
        )
    return network


def sequence_lifter(estimator: Estimator) -> Network:
    """The lifter of windows of frames.

    Raises:
      UserError: the file holds neither PoseFormer nor CA-PF-S.
    """
    holders = 'files of PoseFormer and CA-PF-S'
    return _need(estimator, estimator.sequence_lifter, 'lift_sequence', holders)


def _need(estimator: Estimator, network: Network | None, method: str, holders: str) -> Network:
    if network is None:
        metadata = estimator.metadata
        raise UserError(
            f'{estimator.path} holds {metadata.get("name", metadata["kind"])}, '
            f'which has no {method}; those are in {holders}'
        )
    return network


def _detectors(with_heatmaps: bool = False) -> str:
    """The detectors of the catalog, for messages."""
    entries = [catalog.get(name) for name in catalog.names()]
    return ', '.join(entry.name for entry in entries if entry.heatmaps or not with_heatmaps)
