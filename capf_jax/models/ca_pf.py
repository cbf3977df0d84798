"""Context-Aware PoseFormer: a frozen 2D detector gives the maps, the lifter makes the 3D pose."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, UInt8

from capf_jax.models.context_projection import ContextProjection
from capf_jax.models.detectors.catalog import DetectorEntry, normalise_images
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.heatmaps import joints_of
from capf_jax.models.detectors.initial import random_variables
from capf_jax.models.lifter import Lifter
from capf_jax.models.second_reading import second_reading
from capf_jax.pose.affine import to_image
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.joint_conversions import Conversion, Mixture, published
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


class LifterInputs(NamedTuple):
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
      other_conversions: chance of a person to learn from that the joints are made by one of the
        other published rules.
      frame: the frame of the poses. 'camera': that of the camera, and the joint token is
        normalised by the whole image. 'viewing_ray': that of a camera which is turned at the
        middle of the crop, and the joint token is normalised by the joints' own box, so that
        nothing of the image's size or of the camera goes in.
      moving_statistics: whether the detector's BatchNorms work in training mode while training:
        with the statistics of the batch, to which the running ones move (MPI-INF-3DHP as
        published). Its parameters stay frozen.
      projection: makes what the maps show at the joints smaller before the lifter sees it; frozen.
        None gives the lifter the maps' own channels.
      reading: makes the joints of the detector's that a robust lifter compares its 2D input with;
        None for the paper's lifter, which believes its input.

    A lifter of windows is a model likewise: it is applied to all people of all frames, in the order
    of `Batch.frames`, and gives one pose a window.
    """

    lifter: Lifter
    detector: nn.Module | None
    entry: DetectorEntry
    joint_places: tuple[int, ...] = ()
    detector_joints: bool = False
    conversion: Conversion | None = None
    other_conversions: float = 0.0
    frame: str = CAMERA
    moving_statistics: bool = False
    projection: ContextProjection | None = None
    reading: Conversion | None = None

    @property
    def context_channels(self) -> tuple[int, ...]:
        """The numbers that a lifter without deformable extraction gets of each map at a joint."""
        if self.projection is not None:
            return (self.projection.channels,) * len(self.projection.levels)
        return tuple(self.entry.channels[level] for level in self.entry.levels)

    def init(self, key: Array, batch: Batch) -> dict[str, Any]:
        """Random variables {'detector': {'params', 'batch_stats'} or {}, 'lifter': {'params'}}.

        With a projection there is also 'projection': {'params'}.
        """
        key_detector, key_lifter = jax.random.split(key)
        frozen: dict[str, Any] = {'detector': {}}
        if self.detector is not None:
            detector = random_variables(self.detector, key_detector, self.entry.crop)
            frozen['detector'] = detector
        if self.projection is not None:
            key_projection = jax.random.fold_in(key_detector, 1)
            frozen['projection'] = self._random_projection(key_projection)

        def init_lifter(key: Array, frozen: dict[str, Any], one: Batch) -> dict[str, Any]:
            variables = self.lifter.init(key, *self._lifter_inputs(frozen, one)[0])
            return cast(dict[str, Any], variables)  # Flax's own type has a frozen dict beside it

        people = getattr(self.lifter, 'frames', 1)
        one = jax.tree.map(lambda array: jnp.asarray(array[:people]), batch)
        return {**frozen, 'lifter': jax.jit(init_lifter)(key_lifter, frozen, one)}

    def _random_projection(self, key: Array) -> dict[str, Any]:
        assert self.projection is not None  # the caller has looked
        joints = self.lifter.num_joints
        contexts = [jnp.zeros((1, joints, channels)) for channels in self.entry.channels]
        return cast(dict[str, Any], self.projection.init(key, contexts))

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
        inputs, outputs = self._lifter_inputs(variables, batch, train)
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
        inputs, joints2d_crop, confidence = self.crop_inputs(variables, images, joints2d_crop)
        pose, _ = self._lift(variables['lifter'], inputs)
        return pose, joints2d_crop, confidence

    def crop_inputs(
        self,
        variables: dict[str, Any],
        images: UInt8[Array, 'B H W 3'],
        joints2d_crop: Float[Array, 'B J 2'] | None = None,
        joints2d: Float[Array, 'B J 2'] | None = None,
        affine: Float[Array, 'B 2 3'] | None = None,
        image_size: Float[Array, 'B 2'] | None = None,
    ) -> tuple[LifterInputs, Float[Array, 'B J 2'], Float[jax.Array, 'B J']]:
        """What the lifter is called with for crops that lie nobody knows where in which image.

        In the frame 'camera' it takes either the joints in the image, or where the crops lie in it.

        Args:
          variables: as for `apply`; those of the lifter are not read.
          images: RGB crops.
          joints2d_crop: the lifter's 2D joints, pixels of the crop; None takes the detector's.
          joints2d: the same joints, normalised by the image; not read in the frame 'viewing_ray'.
          affine: from pixels of the image to those of the crop; read where `joints2d` is None.
          image_size: (width, height) of the image, likewise.

        Returns:
          The lifter's arguments, the 2D joints in pixels of the crop, and their confidences.
        """
        maps: tuple[jax.Array, ...] = ()
        contexts: tuple[jax.Array, ...] | None = None
        detection: Detection | None = None
        confidence = None if joints2d_crop is None else jnp.ones(joints2d_crop.shape[:-1])
        if self.detector is not None:
            detection, _ = self._detect(variables['detector'], images)
            maps = detection.maps
            if joints2d_crop is None:
                joints2d_crop, confidence = self._joints_of(detection)
        assert joints2d_crop is not None  # the callers see to it
        assert confidence is not None
        if self.frame == VIEWING_RAY:
            joints2d = normalise_by_box(joints2d_crop)
        elif joints2d is None and affine is not None and image_size is not None:
            joints2d = normalise_by_image(to_image(joints2d_crop, affine), image_size)
        by_crop = self._by_crop(joints2d_crop, images)
        if self.projection is not None:
            contexts = self._by_level(self._contexts(variables, maps, by_crop))
            maps = ()
        inputs = LifterInputs(joints2d, by_crop, maps, contexts)
        if detection is not None:
            inputs = self._with_reading(inputs, detection, images)
        return inputs, joints2d_crop, confidence

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
        inputs, _, _ = self.crop_inputs(variables, images, joints2d_crop, joints2d)
        return self._lift(variables['lifter'], inputs)[0]

    def features(
        self,
        variables: dict[str, Any],
        images: UInt8[Array, 'B H W 3'],
        joints: Array,
        people: Int[Array, ' B'] | None = None,
    ) -> Features:
        """What `apply` reads from a batch with features made in advance, for one of its two copies.

        Args:
          variables: the detector's part of the variables, and the projection's where there is one.
          images: RGB crops.
          joints: [B, J, 2] the 2D joints that come with the batch, pixels of the crop; not read
            where the model takes those of the detector.
          people: their numbers in the split to learn from, of which `other_conversions` chooses
            some; None for people of whom nothing is learnt.
        """
        detection, _ = self._detect(variables['detector'], images)
        joints2d_crop, confidence = joints, jnp.ones(joints.shape[:-1])
        if self.conversion is not None:
            joints2d_crop, confidence = self._joints_of(detection, people)
        levels = self._contexts(variables, detection.maps, self._by_crop(joints2d_crop, images))
        return Features(joints2d_crop, confidence, jnp.concatenate(levels, axis=-1))

    def _contexts(
        self, variables: dict[str, Any], maps: tuple[jax.Array, ...], by_crop: Array
    ) -> list[jax.Array]:
        """What the maps show at the joints, [B, J, C_l] for each of `context_channels`."""
        contexts: Any = self.lifter.apply({}, maps, by_crop, method='context')
        if self.projection is not None:
            frozen = jax.lax.stop_gradient(variables['projection'])
            contexts = self.projection.apply(frozen, contexts)
        return contexts

    def _lift(
        self,
        variables: dict[str, Any],
        inputs: LifterInputs,
        train: bool = False,
        drop_path_key: Array | None = None,
    ) -> tuple[jax.Array, dict[str, Any]]:
        random = {} if drop_path_key is None else {'drop_path': drop_path_key}
        output = self.lifter.apply(variables, *inputs, train=train, rngs=random)
        return cast(tuple[jax.Array, dict[str, Any]], output)  # no further one without `mutable`

    def _lifter_inputs(
        self, variables: dict[str, Any], batch: Batch, train: bool = False
    ) -> tuple[LifterInputs, dict[str, Any]]:
        """The lifter's arguments, and the detector's part of the dict that `apply` returns."""
        joints2d_crop = batch.joints2d_crop
        if batch.contexts is not None and batch.context_joints is not None:
            outputs: dict[str, Any] = {}
            if self.conversion is not None:
                joints2d_crop = outputs['detector_joints'] = batch.context_joints[:, 0]
            contexts = self.split_contexts(batch.contexts[:, 0].astype(jnp.float32))
            return self._inputs(batch, joints2d_crop, contexts=contexts), outputs
        if self.detector is None:
            return self._inputs(batch, joints2d_crop), {}

        detection, outputs = self._detect(variables['detector'], batch.images, train)
        if detection.heatmaps is None:  # a classifier, or a published file without the head
            return self._with_context(variables, batch, joints2d_crop, detection.maps), outputs
        outputs['heatmaps'] = detection.heatmaps
        if self.conversion is not None:
            joints2d_crop, _ = self._joints_of(detection, batch.index if train else None)
            outputs['detector_joints'] = joints2d_crop
        elif self.joint_places:
            joints, _ = joints_of(detection, self.entry)
            outputs['detector_joints'] = joints[:, jnp.array(self.joint_places)]
        inputs = self._with_context(variables, batch, joints2d_crop, detection.maps)
        if self.detector_joints:
            own = self._joint_token(batch, outputs['detector_joints'])
            inputs = inputs._replace(  # [B, J, 4]
                joints2d=jnp.concatenate([inputs.joints2d, own], axis=-1)
            )
        return self._with_reading(inputs, detection, batch.images), outputs

    def _with_reading(
        self, inputs: LifterInputs, detection: Detection, images: Array
    ) -> LifterInputs:
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

    def split_contexts(self, contexts: Float[Array, 'B J C']) -> tuple[jax.Array, ...]:
        """Context vectors of all levels one after the other -> the lifter's argument."""
        ends = list(itertools.accumulate(self.context_channels))
        return self._by_level(jnp.split(contexts, ends[:-1], axis=-1))

    def _with_context(
        self,
        variables: dict[str, Any],
        batch: Batch,
        joints2d_crop: Array,
        maps: tuple[jax.Array, ...],
    ) -> LifterInputs:
        """The lifter's arguments, with the maps or, where there is a projection, its vectors."""
        if self.projection is None:
            return self._inputs(batch, joints2d_crop, maps)
        by_crop = self._by_crop(joints2d_crop, batch.images)
        contexts = self._contexts(variables, maps, by_crop)
        return self._inputs(batch, joints2d_crop, contexts=self._by_level(contexts))

    def _by_level(self, contexts: Sequence[jax.Array]) -> tuple[jax.Array, ...]:
        """Context vectors in the places of their maps; a projection has but those it uses."""
        if self.projection is None:
            return tuple(contexts)
        places = dict(zip(self.projection.levels, contexts, strict=True))
        return tuple(places.get(level, contexts[0]) for level in self.entry.levels)

    def _inputs(
        self,
        batch: Batch,
        joints2d_crop: Array,
        maps: tuple[jax.Array, ...] = (),
        contexts: tuple[jax.Array, ...] | None = None,
    ) -> LifterInputs:
        """The lifter's arguments for its 2D joints, pixels of the crop."""
        token = self._joint_token(batch, joints2d_crop)
        return LifterInputs(token, self._by_crop(joints2d_crop, batch.images), maps, contexts)

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

    def _joints_of(
        self, detection: Detection, people: Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The lifter's joints [B, J, 2], pixels of the crop, and confidences [B, J]."""
        assert self.conversion is not None
        joints, confidence = joints_of(detection, self.entry)
        if people is not None and self.other_conversions:
            others = published(self.conversion)
            mixture = Mixture(self.conversion, others, self.other_conversions)
            return mixture.convert(joints, confidence, people)
        return self.conversion.joints(joints), self.conversion.confidence(confidence)
