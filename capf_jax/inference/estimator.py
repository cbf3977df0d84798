"""`Estimator`: one weight file, ready to use. Everything it needs to know is in the file."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import flax.linen as nn
import jax
import numpy as np

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import input_checks, networks
from capf_jax.inference.networks import Network
from capf_jax.inference.weight_files import load_weights
from capf_jax.models import ca_pf
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.catalog import DetectorEntry, normalise_images
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.heatmaps import average_flipped, joints_of
from capf_jax.pose import skeletons
from capf_jax.pose.flip import flip_joints, flip_pose
from capf_jax.pose.normalise import normalise_by_crop
from capf_jax.pose.skeletons import Skeleton

if TYPE_CHECKING:
    from capf_jax.inference.people import People
    from capf_jax.inference.person_boxes import Finder

LARGEST_BATCH = 64  # larger ones are cut
LIFTERS = 'files of Context-Aware PoseFormer'


@dataclasses.dataclass(frozen=True, eq=False)
class Estimator:
    """A detector, a Context-Aware PoseFormer or a PoseFormer, from a weight file.

    Methods take and give NumPy arrays. They are compiled at first use for each of few batch sizes:
    powers of two up to `largest_batch`; batches in between are padded, larger ones cut.

    Attributes:
      path: the weight file.
      metadata: what it says of itself.
      skeleton: the joints J, in order, of all that goes in and comes out; but a detector that does
        not find them all, such as a CA-PF's of COCO, gives those that it finds, `detector.joints`.
      crop_size: (H, W) of the crops; None for any whose sides are multiples of 32.
      detector, lifter, sequence_lifter: the networks that the file holds, None for the others.
      precision: of matrix products, as `jax.default_matmul_precision` takes it.
      largest_batch: samples that are run at once.
    """

    path: str
    metadata: Mapping[str, Any]
    skeleton: Skeleton
    crop_size: tuple[int, int] | None
    detector: Network | None = None
    lifter: Network | None = None
    sequence_lifter: Network | None = None
    precision: str = 'highest'
    largest_batch: int = LARGEST_BATCH

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        *,
        precision: str = 'highest',
        largest_batch: int = LARGEST_BATCH,
    ) -> Estimator:
        """Builds everything from a file of `converters.convert` or of a training run.

        Args:
          path: the safetensors file.
          precision: of matrix products: 'highest' is float32; 'default' is faster on GPU and TPU.
          largest_batch: samples that are run at once; lower it if memory runs out.

        Raises:
          FileNotFoundError: there is no such file.
          UserError: it is no weight file of ours, or it is not whole.
        """
        if largest_batch < 1:
            raise UserError(f'largest_batch is {largest_batch}; it must be at least 1')
        variables, metadata = load_weights(path)
        try:
            return cls(
                path=str(path),
                metadata=metadata,
                **networks.build(variables, metadata),
                skeleton=skeletons.get(metadata['skeleton']),
                crop_size=networks.crop_size(metadata),
                precision=precision,
                largest_batch=largest_batch,
            )
        except ValueError as error:
            raise UserError(f'{path} cannot be used: {error}') from error

    def feature_maps(self, crops: Any) -> tuple[np.ndarray, ...]:
        """The maps that a lifter uses.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.

        Returns:
          One float32 [B, H, W, C] a level.

        Raises:
          UserError: wrong crops, or the file holds no detector.
        """
        detector = self._need(
            self.detector, 'feature_maps', f'files of {_detectors()} and {LIFTERS}'
        )
        return self._in_batches(
            lambda images: _detect(detector, self.precision, images, 'maps'),
            input_checks.crops(crops, self.crop_size),
        )

    def heatmaps(self, crops: Any, *, flip_test: bool = False) -> np.ndarray:
        """Where the joints are.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.
          flip_test: average with those of the mirrored crops, moved by one pixel
            (docs/method.md, Heatmaps and 2D joints).

        Returns:
          float32 [B, H / 4, W / 4, J], of `detector.joints`.

        Raises:
          UserError: wrong crops, or the file holds no detector with a heatmap head.
        """
        detector = self._with_heatmaps()
        return self._in_batches(
            lambda images: self._detection(detector, images, flip_test).heatmaps,
            input_checks.crops(crops, self.crop_size),
        )

    def joints(self, crops: Any, *, flip_test: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The 2D joints that the detector finds.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.
          flip_test: see `heatmaps`; a detector that refines its joints gives the mean of those of
            the crops and of the mirrored crops.

        Returns:
          Joints [B, J, 2] in pixels of the crop, and confidences [B, J], the peaks' heights; of
          `detector.joints`.

        Raises:
          UserError: wrong crops, or the file holds no detector with a heatmap head.
        """
        detector = self._with_heatmaps()
        entry, joint_set = detector.entry, detector.joints
        assert entry is not None  # every detector has an entry and joints
        assert joint_set is not None

        def find(images: np.ndarray) -> tuple[jax.Array, jax.Array]:
            if not flip_test or entry.decode != 'refined':
                return joints_of(self._detection(detector, images, flip_test), entry)
            joints, confidence = joints_of(self._detection(detector, images, False), entry)
            mirrored = joints_of(self._detection(detector, images[:, :, ::-1], False), entry)
            back = flip_joints(mirrored[0], images.shape[2] - 1, joint_set)
            return (joints + back) / 2, (confidence + mirrored[1][:, list(joint_set.flip)]) / 2

        return self._in_batches(find, input_checks.crops(crops, self.crop_size))

    def lift(
        self, crops: Any, joints2d: Any, joints2d_crop: Any, flip_test: bool = False
    ) -> np.ndarray:
        """3D poses from crops and 2D joints.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`.
          joints2d: [B, J, 2], normalised by the image of w x h pixels: x / w * 2 - 1 and
            y / w * 2 - h / w (`capf_jax.pose.normalise.normalise_by_image`).
          joints2d_crop: [B, J, 2], the same joints in pixels of the crop.
          flip_test: average with the prediction for the mirrored person
            (docs/method.md, Training).

        Returns:
          float32 [B, J, 3], metres, camera frame, relative to the skeleton's root.

        Raises:
          UserError: wrong inputs, or the file holds no lifter that takes them.
        """
        lifter = self._need(self.lifter, 'lift', LIFTERS)
        if self.frame != ca_pf.CAMERA:
            raise UserError(
                f'the poses of {self.path} are in the frame of the viewing ray, and its joints are '
                'not normalised by the image: use lift_crops'
            )
        if lifter.module.detector_joints:
            raise UserError(
                f"{self.path} was trained with the detector's own joints as further input; "
                f'evaluate it with python -m capf_jax.evaluate, which knows where the crops lie'
            )
        crops = input_checks.crops(crops, self.crop_size)
        shape, size = (len(self.skeleton), 2), crops.shape[1:3]
        joints2d = input_checks.normalised_joints(joints2d, shape)
        joints2d_crop = input_checks.crop_joints(joints2d_crop, shape, size)
        input_checks.same_length(crops=crops, joints2d=joints2d, joints2d_crop=joints2d_crop)

        whole = lifter.whole

        def predict(images: Any, joints2d: Any, joints2d_crop: Any) -> jax.Array:
            if whole is not None and whole.reading is not None:
                assert self.detector is not None  # whose heatmaps a robust lifter reads
                variables = {'detector': self.detector.variables, 'lifter': lifter.variables}
                return _lift_joints(
                    whole, self.precision, variables, images, joints2d, joints2d_crop
                )
            maps = ()
            if self.detector is not None:
                maps = _detect(self.detector, self.precision, images, 'maps')
            by_crop = normalise_by_crop(joints2d_crop, size[::-1])
            return _lift(lifter.module, self.precision, lifter.variables, joints2d, by_crop, maps)

        pose = self._in_batches(predict, crops, joints2d, joints2d_crop)
        if not flip_test:
            return pose
        mirrored = self._in_batches(
            predict,
            crops[:, :, ::-1],
            flip_joints(joints2d, 0, self.skeleton),
            flip_joints(joints2d_crop, size[1] - 1, self.skeleton),
        )
        return (pose + flip_pose(mirrored, self.skeleton)) / 2

    @property
    def frame(self) -> str:
        """The frame of the lifter's poses: 'camera', or 'viewing_ray' of the crop's middle.

        Poses of the frame 'camera' come from `lift`, those of 'viewing_ray' from `lift_crops`.
        """
        whole = None if self.lifter is None else self.lifter.whole
        return ca_pf.CAMERA if whole is None else whole.frame

    def lift_crops(
        self, crops: Any, joints2d_crop: Any = None, flip_test: bool = True
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """3D poses from crops alone, by files whose `frame` is 'viewing_ray'.

        Args:
          crops: uint8 RGB [B, H, W, 3] of `crop_size`, each as a camera sees it that is aimed at
            its middle.
          joints2d_crop: [B, J, 2], the skeleton's joints in pixels of the crop; None takes those
            that the detector finds, by the file's own conversion.
          flip_test: average with the prediction for the mirrored crop, for which the detector
            runs again.

        Returns:
          Poses float32 [B, J, 3], metres, in the viewing-ray frame, relative to the skeleton's
          root; the 2D joints that they were made of, [B, J, 2] in pixels of the crop; and their
          confidences [B, J], 1 for joints that were given.

        Raises:
          UserError: wrong inputs, or the file holds no lifter of this frame, or joints must be
            given and are not.
        """
        lifter = self._need(self.lifter, 'lift_crops', LIFTERS)
        whole = lifter.whole
        assert whole is not None  # every lifter has its model
        if whole.frame != ca_pf.VIEWING_RAY:
            raise UserError(
                f'the poses of {self.path} are in the frame of the camera, which needs to know '
                'where in the image the crops lie: use lift'
            )
        if joints2d_crop is None and whole.conversion is None:
            raise UserError(
                f'{self.path} was not trained with the joints of its detector: give joints2d_crop'
            )
        crops = input_checks.crops(crops, self.crop_size)
        shape, size = (len(self.skeleton), 2), crops.shape[1:3]
        arrays: list[Any] = [crops]
        if joints2d_crop is not None:
            arrays.append(input_checks.crop_joints(joints2d_crop, shape, size))
            input_checks.same_length(crops=crops, joints2d_crop=arrays[1])
        detector = {} if self.detector is None else self.detector.variables
        variables = {'detector': detector, 'lifter': lifter.variables}

        def predict(*arrays: Any) -> Any:
            return _lift_crops(whole, self.precision, variables, *arrays)

        pose, joints, confidence = self._in_batches(predict, *arrays)
        if flip_test:
            mirrored = [crops[:, :, ::-1]]
            if joints2d_crop is not None:
                mirrored.append(flip_joints(arrays[1], size[1] - 1, self.skeleton))
            other, _, _ = self._in_batches(predict, *mirrored)
            pose = (pose + flip_pose(other, self.skeleton)) / 2
        return pose, joints, confidence

    def lift_sequence(self, joints2d: Any) -> np.ndarray:
        """3D poses of the middle frames of sequences of 2D joints.

        Args:
          joints2d: [B, F, J, 2], normalised by the image as for `lift`.

        Returns:
          float32 [B, J, 3], metres, camera frame, relative to the skeleton's root.

        Raises:
          UserError: wrong joints, or the file holds no PoseFormer.
        """
        lifter = self._need(self.sequence_lifter, 'lift_sequence', 'files of PoseFormer')
        shape = (lifter.module.frames, len(self.skeleton), 2)
        return self._in_batches(
            lambda joints: _lift(lifter.module, self.precision, lifter.variables, joints),
            input_checks.normalised_joints(joints2d, shape),
        )

    def predict(
        self,
        source: Any,
        boxes: Any = None,
        joints2d: Any = None,
        camera: Any = None,
        *,
        detector: Estimator | None = None,
        finder: Finder | None = None,
        height: float | None = None,
        flip_test: bool = True,
    ) -> People | list[People]:
        """The people of photographs, in 2D and 3D.

        Args:
          source: a picture: its file, or RGB pixels, uint8 [H, W, 3]. Or several: a folder, a
            pattern such as 'holiday/*.jpg', a folder of own data, or a list of files.
          boxes: [N, 4] x, y, width, height of the people of one picture, pixels; None to find them.
          joints2d: their 2D joints: [N, J, 2] pixels in the order of `skeleton`, or
            `joints2d_files.given` of another order; or a file of them, which may be of many
            pictures; None to let the detector find them.
          camera: a `Camera`, fx, fy, cx, cy, or a calibration file; None for what the picture's
            EXIF says, or else an assumed field of view.
          detector: what finds the 2D joints; None for the detector in this file.
          finder: what finds the people; None for the one that comes with the repository.
          height: metres; everyone is scaled to this standing height.
          flip_test: average with the prediction for the mirrored person.

        Returns:
          `People` of one picture, and a list of them where the source names several, even if there
          is but one of these.

        Raises:
          FileNotFoundError: nothing is there.
          UserError: no picture, or what is given does not fit it; or the file holds no lifter.
        """
        from capf_jax.inference import predictor  # which a program without photographs never needs

        return predictor.predict(
            self,
            source,
            boxes,
            joints2d,
            camera,
            detector=detector,
            finder=finder,
            height=height,
            flip_test=flip_test,
        )

    def _with_heatmaps(self) -> Network:
        """The detector, which finds joints; UserError says which files have one."""
        holders = f'files of {_detectors(with_heatmaps=True)}'
        detector = self._need(self.detector, 'heatmaps and joints', holders)
        assert detector.entry is not None  # every detector has an entry
        if detector.entry.heatmaps is None:
            raise UserError(
                f'{self.path} holds no heatmap head, so that it has no heatmaps and joints; '
                f'those are in {holders}'
            )
        return detector

    def _detection(self, detector: Network, images: np.ndarray, flip_test: bool) -> Detection:
        """What the detector finds, without the maps; with the flip test, its heatmaps alone."""
        plain = _detect(detector, self.precision, images, 'joints')
        if not flip_test:
            return plain
        assert detector.joints is not None  # every detector has joints
        mirrored = _detect(detector, self.precision, images[:, :, ::-1], 'joints')
        both = average_flipped(plain.heatmaps, mirrored.heatmaps, detector.joints.flip)
        return Detection((), both)

    def _need(self, network: Network | None, method: str, holders: str) -> Network:
        """The network behind a method; UserError says which files have it."""
        if network is None:
            raise UserError(
                f'{self.path} holds {self.metadata.get("name", self.metadata["kind"])}, '
                f'which has no {method}; those are in {holders}'
            )
        return network

    def _in_batches(self, function: Callable[..., Any], *arrays: np.ndarray) -> Any:
        """The function's outputs for any number of samples, run in few batch sizes, on the host."""
        number, parts = len(arrays[0]), []
        for start in range(0, max(number, 1), self.largest_batch):
            chunk = [array[start : start + self.largest_batch] for array in arrays]
            size = len(chunk[0])
            padding = padded_size(size, self.largest_batch) - size
            padded = [np.pad(x, [(0, padding)] + [(0, 0)] * (x.ndim - 1)) for x in chunk]
            outputs = jax.device_get(function(*padded))
            parts.append(jax.tree.map(lambda output, size=size: output[:size], outputs))
        return parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: np.concatenate(x), *parts)


def _detectors(with_heatmaps: bool = False) -> str:
    """The detectors of the catalog, for messages."""
    entries = [catalog.get(name) for name in catalog.names()]
    return ', '.join(entry.name for entry in entries if entry.heatmaps or not with_heatmaps)


def padded_size(number: int, largest: int) -> int:
    """The batch size that `number` samples are run with: a power of two, at most `largest`."""
    return min(1 << max(number - 1, 0).bit_length(), largest)


def _detect(detector: Network, precision: str, images: Any, what: str) -> Any:
    """Of images [B, H, W, 3] uint8 the 'maps', or the Detection without them for the 'joints'.

    What is not asked for is never computed.
    """
    return _run_detector(
        detector.module, detector.entry, precision, what, detector.variables, images
    )


# The functions that are compiled belong to no Estimator: two of the same networks share them.
@functools.partial(programs.jit, static_argnums=(0, 1, 2, 3))
def _run_detector(
    module: nn.Module,
    entry: DetectorEntry,
    precision: str,
    what: str,
    variables: Any,
    images: jax.Array,
) -> Any:
    with jax.default_matmul_precision(precision):
        detection = cast(Detection, module.apply(variables, normalise_images(images, entry)))
        return detection.maps if what == 'maps' else detection._replace(maps=())


@functools.partial(programs.jit, static_argnums=(0, 1), few_rows=True)
def _lift(module: nn.Module, precision: str, variables: Any, *inputs: Any) -> jax.Array:
    with jax.default_matmul_precision(precision):
        return module.apply(variables, *inputs)[0]


@functools.partial(programs.jit, static_argnums=(0, 1))
def _lift_joints(
    model: ContextAwarePoseFormer,
    precision: str,
    variables: Any,
    images: jax.Array,
    joints2d: jax.Array,
    joints2d_crop: jax.Array,
) -> jax.Array:
    with jax.default_matmul_precision(precision):
        return model.lift_joints(variables, images, joints2d, joints2d_crop)


@functools.partial(programs.jit, static_argnums=(0, 1))
def _lift_crops(
    model: ContextAwarePoseFormer,
    precision: str,
    variables: Any,
    images: jax.Array,
    joints2d_crop: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    with jax.default_matmul_precision(precision):
        return model.lift_crops(variables, images, joints2d_crop)
