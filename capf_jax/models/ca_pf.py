"""Context-Aware PoseFormer: a frozen 2D detector gives the maps, the lifter makes the 3D pose."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, UInt8

from capf_jax.models.detectors.catalog import DetectorEntry, normalise_images
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.heatmaps import joints_of
from capf_jax.models.detectors.initial import random_variables
from capf_jax.models.lifter import Lifter
from capf_jax.models.second_reading import second_reading
from capf_jax.pose.affine import to_image
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.joint_conversions import Conversion
from capf_jax.pose.normalise import normalise_by_box, normalise_by_crop, normalise_by_image

CAMERA, VIEWING_RAY = FRAMES = ('camera', 'viewing_ray')  # of `config.model.frame`
DATASET, DETECTOR = JOINTS2D = ('dataset', 'detector')  # of `config.model.joints2d`


class Features(NamedTuple):
    """What a detector that never changes tells a lifter without deformable extraction.

    Attributes:
      joints2d_crop: the lifter's 2D joints, pixels of the crop.
      confidence: of them.
      contexts: every map of the detector at the joints, all levels one after the other.
    """

    joints2d_crop: Float[Array, 'B J 2']
    confidence: Float[jax.Array, 'B J']
    contexts: Float[jax.Array, 'B J C']


class _Inputs(NamedTuple):
    """The lifter's arguments, in their order."""

    joints2d: Array
    joints2d_crop: Array
    maps: tuple[jax.Array, ...] = ()
    contexts: tuple[jax.Array, ...] | None = None
    doubt: jax.Array | None = None


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
      conversion: makes the lifter's 2D joints of those that the detector finds on the very crop;
        None where the 2D joints come with the batch.
      frame: the frame of the poses. 'camera': that of the camera, and the joint token is
        normalised by the whole image. 'viewing_ray': that of a camera which is turned at the
        middle of the crop, and the joint token is normalised by the joints' own box, so that
        nothing of the image's size or of the camera goes in.
      moving_statistics: whether the detector's BatchNorms work in training mode while training:
        with the statistics of the batch, to which the running ones move (MPI-INF-3DHP as
        published). Its parameters stay frozen.
      reading: makes the joints of the detector's that a robust lifter compares its 2D input with;
        None for the paper's lifter, which believes its input.
    """

    lifter: Lifter
    detector: nn.Module | None
    entry: DetectorEntry
    joint_places: tuple[int, ...] = ()
    detector_joints: bool = False
    conversion: Conversion | None = None
    frame: str = CAMERA
    moving_statistics: bool = False
    reading: Conversion | None = None

    def init(self, key: Array, batch: Batch) -> dict[str, Any]:
        """Random variables {'detector': {'params', 'batch_stats'} or {}, 'lifter': {'params'}}."""
        key_detector, key_lifter = jax.random.split(key)
        detector: dict[str, Any] = {}
        if self.detector is not None:
            detector = random_variables(self.detector, key_detector, self.entry.crop)

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
          batch: its images, joints2d, joints2d_crop, image_size and affine are read; where it has
            features made in advance, they are read instead of the images, and no detector runs.
          train: whether drop path is on, which then needs `drop_path_key`.

        Returns:
          Poses, metres, in the model's frame, relative to the root, and a dict of the lifter's
          intermediates together with, where there is a detector with a head, its 'heatmaps'
          [B, H/4, W/4, joints that it finds] and, where these are all of the lifter's or are made
          into them, 'detector_joints' [B, J, 2], pixels of the crop; where its statistics move,
          also its new 'batch_stats'. `jit` prunes what nobody uses.
        """
        inputs, outputs = self._lifter_inputs(variables['detector'], batch, train)
        pose, intermediates = self._lift(variables['lifter'], inputs, train, drop_path_key)
        return pose, {**intermediates, **outputs}

    def lift_crops(
        self,
        variables: dict[str, Any],
        images: UInt8[Array, 'B H W 3'],
        joints2d_crop: Float[Array, 'B J 2'] | None = None,
    ) -> tuple[Float[jax.Array, 'B J 3'], Float[Array, 'B J 2'], Float[jax.Array, 'B J']]:
        """Poses from crops alone, by a model of the frame 'viewing_ray'.

        Args:
          variables: as for `apply`.
          images: RGB crops.
          joints2d_crop: the lifter's 2D joints, pixels of the crop; None takes the detector's.

        Returns:
          Poses, metres, viewing-ray frame, relative to the root; the 2D joints that they were made
          of, pixels of the crop; and their confidences, which are 1 for joints from outside.
        """
        maps: tuple[jax.Array, ...] = ()
        confidence = None if joints2d_crop is None else jnp.ones(joints2d_crop.shape[:-1])
        if self.detector is not None:
            detection, _ = self._detect(variables['detector'], images)
            maps = detection.maps
            if joints2d_crop is None:
                joints2d_crop, confidence = self._joints_of(detection)
        assert joints2d_crop is not None  # the callers see to it
        assert confidence is not None
        inputs = _Inputs(
            normalise_by_box(joints2d_crop), self._by_crop(joints2d_crop, images), maps
        )
        pose, _ = self._lift(variables['lifter'], inputs)
        return pose, joints2d_crop, confidence

    def lift_joints(
        self,
        variables: dict[str, Any],
        images: UInt8[Array, 'B H W 3'],
        joints2d: Float[Array, 'B J 2'],
        joints2d_crop: Float[Array, 'B J 2'],
    ) -> Float[jax.Array, 'B J 3']:
        """Poses from crops and normalised 2D joints, by a model of the frame 'camera'.

        Args:
          variables: as for `apply`.
          images: RGB crops.
          joints2d: the lifter's 2D joints, normalised by the image.
          joints2d_crop: the same, pixels of the crop.

        Returns:
          Poses, metres, camera frame, relative to the root.
        """
        detection, _ = self._detect(variables['detector'], images)
        inputs = _Inputs(joints2d, self._by_crop(joints2d_crop, images), detection.maps)
        inputs = self._with_reading(inputs, detection, images)
        return self._lift(variables['lifter'], inputs)[0]

    def features(
        self, detector_variables: dict[str, Any], images: UInt8[Array, 'B H W 3'], joints: Array
    ) -> Features:
        """What `apply` reads from a batch with features made in advance, for one of its two copies.

        Args:
          detector_variables: the detector's part of the variables.
          images: RGB crops.
          joints: [B, J, 2] the 2D joints that come with the batch, pixels of the crop; not read
            where the model takes those of the detector.
        """
        detection, _ = self._detect(detector_variables, images)
        joints2d_crop, confidence = joints, jnp.ones(joints.shape[:-1])
        if self.conversion is not None:
            joints2d_crop, confidence = self._joints_of(detection)
        contexts = self.lifter.apply(
            {}, detection.maps, self._by_crop(joints2d_crop, images), method='context'
        )
        levels = cast(list[jax.Array], contexts)  # no tuple without `mutable`
        return Features(joints2d_crop, confidence, jnp.concatenate(levels, axis=-1))

    def _lift(
        self,
        variables: dict[str, Any],
        inputs: _Inputs,
        train: bool = False,
        drop_path_key: Array | None = None,
    ) -> tuple[jax.Array, dict[str, Any]]:
        random = {} if drop_path_key is None else {'drop_path': drop_path_key}
        output = self.lifter.apply(variables, *inputs, train=train, rngs=random)
        return cast(tuple[jax.Array, dict[str, Any]], output)  # no further one without `mutable`

    def _lifter_inputs(
        self, detector_variables: dict[str, Any], batch: Batch, train: bool = False
    ) -> tuple[_Inputs, dict[str, Any]]:
        """The lifter's arguments, and the detector's part of the dict that `apply` returns."""
        joints2d_crop = batch.joints2d_crop
        if batch.contexts is not None and batch.context_joints is not None:
            outputs: dict[str, Any] = {}
            if self.conversion is not None:
                joints2d_crop = outputs['detector_joints'] = batch.context_joints[:, 0]
            contexts = batch.contexts[:, 0].astype(jnp.float32)
            ends = [sum(self.entry.channels[: level + 1]) for level in self.entry.levels]
            levels = tuple(jnp.split(contexts, ends[:-1], axis=-1))
            return self._inputs(batch, joints2d_crop, contexts=levels), outputs
        if self.detector is None:
            return self._inputs(batch, joints2d_crop), {}

        detection, outputs = self._detect(detector_variables, batch.images, train)
        if detection.heatmaps is None:  # a classifier, or a published file without the head
            return self._inputs(batch, joints2d_crop, detection.maps), outputs
        outputs['heatmaps'] = detection.heatmaps
        if self.conversion is not None:
            joints2d_crop, _ = self._joints_of(detection)
            outputs['detector_joints'] = joints2d_crop
        elif self.joint_places:
            joints, _ = joints_of(detection, self.entry)
            outputs['detector_joints'] = joints[:, jnp.array(self.joint_places)]
        inputs = self._inputs(batch, joints2d_crop, detection.maps)
        if self.detector_joints:
            own = self._joint_token(batch, outputs['detector_joints'])
            inputs = inputs._replace(  # [B, J, 4]
                joints2d=jnp.concatenate([inputs.joints2d, own], axis=-1)
            )
        return self._with_reading(inputs, detection, batch.images), outputs

    def _with_reading(self, inputs: _Inputs, detection: Detection, images: Array) -> _Inputs:
        """The lifter's arguments with what a robust one gets of the detector's heatmaps."""
        if self.reading is None:
            return inputs
        joints, confidence = joints_of(detection, self.entry)
        reading = second_reading(
            inputs.joints2d_crop,
            self._by_crop(self.reading.joints(joints), images),
            self.reading.confidence(confidence),
        )
        numbers = [inputs.joints2d, *reading.inputs(self.lifter.robust)]
        return inputs._replace(joints2d=jnp.concatenate(numbers, axis=-1), doubt=reading.doubt)

    def _inputs(
        self,
        batch: Batch,
        joints2d_crop: Array,
        maps: tuple[jax.Array, ...] = (),
        contexts: tuple[jax.Array, ...] | None = None,
    ) -> _Inputs:
        """The lifter's arguments for its 2D joints, pixels of the crop."""
        token = self._joint_token(batch, joints2d_crop)
        return _Inputs(token, self._by_crop(joints2d_crop, batch.images), maps, contexts)

    def _joint_token(self, batch: Batch, joints2d_crop: Array) -> Array:
        """What the joint token is made of: the joints, normalised as the model's frame is."""
        if self.frame == VIEWING_RAY:
            return normalise_by_box(joints2d_crop)
        if joints2d_crop is batch.joints2d_crop:  # they need no way back from the crop
            return normalise_by_image(batch.joints2d, batch.image_size)
        return normalise_by_image(to_image(joints2d_crop, batch.affine), batch.image_size)

    def _by_crop(self, joints2d_crop: Array, images: Array) -> Array:
        """Joints normalised by the crop, of the images' size."""
        height, width = images.shape[1:3]
        return normalise_by_crop(joints2d_crop, (width, height))

    def _detect(
        self, detector_variables: dict[str, Any], images: Array, train: bool = False
    ) -> tuple[Detection, dict[str, Any]]:
        """What the detector finds, and its new 'batch_stats' where they move and it has any."""
        assert self.detector is not None  # the callers have looked
        variables = jax.lax.stop_gradient(detector_variables)
        images = normalise_images(images, self.entry)
        changes: Any = {}
        if train and self.moving_statistics:
            detection, changes = self.detector.apply(
                variables, images, train=True, mutable=['batch_stats']
            )
        else:
            detection = self.detector.apply(variables, images)
        return cast(Detection, jax.lax.stop_gradient(detection)), dict(changes)

    def _joints_of(self, detection: Detection) -> tuple[jax.Array, jax.Array]:
        """The lifter's joints [B, J, 2], pixels of the crop, and confidences [B, J]."""
        assert self.conversion is not None
        joints, confidence = joints_of(detection, self.entry)
        return self.conversion.joints(joints), self.conversion.confidence(confidence)
