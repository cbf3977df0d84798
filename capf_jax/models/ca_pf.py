"""Context-Aware PoseFormer: a frozen 2D detector gives the maps, the lifter makes the 3D pose."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.detectors.catalog import DetectorEntry, normalise_images
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.heatmaps import find_joints
from capf_jax.models.detectors.initial import random_variables
from capf_jax.models.lifter import Lifter
from capf_jax.pose.affine import to_image
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.normalise import normalise_by_crop, normalise_by_image


@dataclasses.dataclass(frozen=True)
class ContextAwarePoseFormer:
    """The whole model as pure functions of its variables.

    Attributes:
      lifter: the network that training changes.
      detector: frozen, in evaluation mode; None where the lifter has coordinates alone.
      entry: the detector's entry in the catalog.
      joint_places: where the lifter's joints are among those that the detector finds; () if it
        does not find them all.
      detector_joints: whether the lifter also gets the joints that the detector itself finds. This
        is a control experiment: it shows what better 2D joints bring without any context.
      moving_statistics: whether the detector's BatchNorms work in training mode while training:
        with the statistics of the batch, to which the running ones move (MPI-INF-3DHP as
        published). Its parameters stay frozen.
    """

    lifter: Lifter
    detector: nn.Module | None
    entry: DetectorEntry
    joint_places: tuple[int, ...] = ()
    detector_joints: bool = False
    moving_statistics: bool = False

    def init(self, key: Array, batch: Batch) -> dict[str, Any]:
        """Random variables {'detector': {'params', 'batch_stats'} or {}, 'lifter': {'params'}}."""
        key_detector, key_lifter = jax.random.split(key)
        detector: dict[str, Any] = {}
        if self.detector is not None:
            detector = random_variables(self.detector, key_detector)

        def init_lifter(key: Array, detector: dict[str, Any], one: Batch) -> dict[str, Any]:
            variables = self.lifter.init(key, *self._lifter_inputs(detector, one)[0])
            return cast(dict[str, Any], variables)  # Flax's own type has a frozen dict beside it

        one = jax.tree.map(lambda array: jnp.asarray(array[:1]), batch)
        return {'detector': detector, 'lifter': jax.jit(init_lifter)(key_lifter, detector, one)}

    def apply(
        self,
        variables: dict[str, Any],
        batch: Batch,
        *,
        train: bool = False,
        drop_path_key: Array | None = None,
    ) -> tuple[Float[jax.Array, 'B J 3'], dict[str, Any]]:
        """Poses from crops and 2D joints.

        Args:
          variables: what `init` returns, or the same with the detector's by
            `backends.programs.prepared`.
          batch: its images, joints2d, joints2d_crop, image_size and affine are read.
          train: whether drop path is on, which then needs `drop_path_key`.

        Returns:
          Poses, metres, camera frame, relative to the root, and a dict of the lifter's
          intermediates together with, where there is a detector with a head, its 'heatmaps'
          [B, H/4, W/4, joints that it finds] and, where these are all of the lifter's,
          'detector_joints' [B, J, 2], pixels of the crop; where its statistics move, also its new
          'batch_stats'. `jit` prunes what nobody uses.
        """
        inputs, outputs = self._lifter_inputs(variables['detector'], batch, train)
        random = {} if drop_path_key is None else {'drop_path': drop_path_key}
        pose, intermediates = self.lifter.apply(
            variables['lifter'], *inputs, train=train, rngs=random
        )
        return pose, {**intermediates, **outputs}

    def _lifter_inputs(
        self, detector_variables: dict[str, Any], batch: Batch, train: bool = False
    ) -> tuple[tuple[Array, Array, tuple[jax.Array, ...]], dict[str, Any]]:
        """The lifter's arguments, and the detector's part of the dict that `apply` returns."""
        joints2d = normalise_by_image(batch.joints2d, batch.image_size)
        height, width = batch.images.shape[1:3]
        joints2d_crop = normalise_by_crop(batch.joints2d_crop, (width, height))
        if self.detector is None:
            return (joints2d, joints2d_crop, ()), {}

        variables = jax.lax.stop_gradient(detector_variables)
        images = normalise_images(batch.images, self.entry)
        outputs: dict[str, Any] = {}
        if train and self.moving_statistics:
            detection, changes = self.detector.apply(
                variables, images, train=True, mutable=['batch_stats']
            )
            outputs['batch_stats'] = changes['batch_stats']
        else:
            detection = self.detector.apply(variables, images)
        detection = cast(Detection, jax.lax.stop_gradient(detection))
        if detection.heatmaps is None:  # a classifier, or a published file without the head
            return (joints2d, joints2d_crop, detection.maps), outputs
        outputs['heatmaps'] = detection.heatmaps
        if not self.joint_places:
            return (joints2d, joints2d_crop, detection.maps), outputs
        heatmaps = detection.heatmaps[..., jnp.array(self.joint_places)]
        assert self.entry.decode is not None  # every entry with heatmaps has a decoder
        outputs['detector_joints'], _ = find_joints(heatmaps, self.entry.decode)
        if self.detector_joints:
            on_image = to_image(outputs['detector_joints'], batch.affine)
            own = normalise_by_image(on_image, batch.image_size)
            joints2d = jnp.concatenate([joints2d, own], axis=-1)  # [B, J, 4]
        return (joints2d, joints2d_crop, detection.maps), outputs
