"""`Reader`: stored records of one split -> `Batch`, with every complaint about a record.

TensorFlow and JAX are never imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import tensorflow_datasets as tfds

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.pose import crops, viewing_ray
from capf_jax.pose.batch import Batch
from capf_jax.pose.skeletons import Skeleton
from data_pipeline import datasets, images
from data_pipeline.images import UnreadableError
from data_pipeline.records import LABELS
from data_pipeline.stored_examples import examples_at, label, open_split

_FLOATS = ('joints2d_detected', 'joints2d_truth', 'joints3d', 'affine', 'intrinsics')
_JOINTS = _FLOATS[:3]
_FEATURES = {'contexts': np.float16, 'context_joints': np.float32}  # stored as their bytes
FRAMES = ('camera', 'viewing_ray')


class Reader:
    """Random access to the records of one split of a built dataset.

    Attributes:
      where: the split and its dataset, for a message.
    """

    def __init__(
        self,
        builder: tfds.core.DatasetBuilder,
        split: str,
        skeleton: Skeleton,
        *,
        joints2d: str = 'detected',
        bad_image: str = 'error',
        frame: str = 'camera',
        pictures: bool = True,
        classes: Sequence[str] = (),
    ):
        """Opens a split.

        Args:
          builder: a built dataset of `records.features`, or of `data_pipeline.features`.
          split: a TFDS split, such as 'train' or 'test[:10%]'.
          skeleton: the skeleton that the records must have.
          joints2d: which 2D joints become `Batch.joints2d`, 'detected' or 'truth'.
          bad_image: what an image that does not decode does, 'error' or 'skip'.
          frame: of the poses: 'camera', or 'viewing_ray' of the middle of each crop.
          pictures: whether pictures are decoded; `Batch.images` has no channels otherwise.
          classes: action labels; `Batch.label` is the place of a person's among them.

        Raises:
          UserError: a choice is unknown, the split is missing or empty, or the dataset has
            other joints.
        """
        _check_choice('data.joints2d', joints2d, ('detected', 'truth'))
        _check_choice('data.bad_image', bad_image, ('error', 'skip'))
        _check_choice('model.frame', frame, FRAMES)
        self._builder, self._split = builder, split
        self.where = f'split {split!r} of {builder.data_dir}'
        self._root = skeleton.root
        self._joints2d = f'joints2d_{joints2d}'
        self._skip = bad_image == 'skip'
        self._turns = frame == 'viewing_ray'
        self._classes = {name: place for place, name in enumerate(classes)}
        self._source = open_split(builder, split)
        features: Any = builder.info.features
        self._shapes = {name: features[name].shape for name in _FLOATS}
        metadata = builder.info.metadata  # TFDS reads it from disk at items(), but not at get()
        notes: dict[str, Any] = dict(metadata.items() if metadata is not None else ())
        self._features = {name: features[name].shape for name in _FEATURES if name in features}
        if self._features:  # without pictures; the axis of no channels keeps their size
            self._image_shape = (*_crop_size(builder, notes), 0)
        else:
            shape = features['image'].shape
            self._image_shape = shape if pictures else (*shape[:2], 0)
        num_joints = self._shapes['joints3d'][0]
        if num_joints != len(skeleton):
            raise _wrong_skeleton(builder, f'{num_joints} joints', f'has {len(skeleton)}', skeleton)
        # Skeletons can have equally many joints, so that builders note the name of theirs.
        made_with = notes.get('skeleton', skeleton.name)
        if made_with != skeleton.name:
            raise _wrong_skeleton(builder, f'the joints of {made_with!r}', 'differs', skeleton)

    def __len__(self) -> int:
        return len(self._source)

    @property
    def skips(self) -> bool:
        """Whether people whose image does not decode are skipped."""
        return self._skip

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Batch, tuple[str, ...]]:
        """The samples at these positions.

        Returns:
          (Batch, complaints). `valid` is False, and the image black, where an image does not
          decode and `bad_image` is 'skip'; the complaints name each of these.

        Raises:
          UserError: an image does not decode and `bad_image` is 'error', a joint is not finite, or
            an action is none of the classes.
          RuntimeError: a file of the dataset is damaged.
        """
        count = len(indices)
        images = np.zeros((count, *self._image_shape), np.uint8)
        floats = {name: np.empty((count, *s), np.float32) for name, s in self._shapes.items()}
        stored = {n: np.empty((count, *s), _FEATURES[n]) for n, s in self._features.items()}
        image_size = np.empty((count, 2), np.float32)
        valid = np.ones(count, bool)
        complaints = []
        examples = self.examples(indices)
        for row, (index, example) in enumerate(zip(indices, examples, strict=True)):
            try:
                for name, array in floats.items():
                    values = np.array(example[name].float_list.value, np.float32)
                    array[row] = values.reshape(array.shape[1:])
                image_size[row] = example['image_size'].int64_list.value
                for name, array in stored.items():
                    values = np.frombuffer(example[name].bytes_list.value[0], array.dtype)
                    array[row] = values.reshape(array.shape[1:])
                if not self._image_shape[-1]:
                    continue
                encoded = example['image'].bytes_list.value[0]
            except (ValueError, IndexError) as error:
                raise datasets.not_whole(
                    self._builder, f"record {index} of split {self._split!r} is another dataset's"
                ) from error
            trouble = _decode(encoded, images[row])
            if trouble:
                complaint = f'the image of {self._name(index, example)} {trouble}'
                if not self._skip:
                    raise UserError(
                        f"{complaint}; build the dataset again or set config.data.bad_image='skip'"
                    )
                valid[row] = False
                complaints.append(complaint)
        for name in _JOINTS:
            for row in np.flatnonzero(~np.isfinite(floats[name]).all(axis=(1, 2)))[:1]:
                raise UserError(
                    f'{name} of {self._name(indices[row], examples[row])} holds NaN or infinity; '
                    'correct the annotation and build the dataset again'
                )
        affine, joints3d, joints2d = floats['affine'], floats['joints3d'], floats[self._joints2d]
        joints3d = joints3d - joints3d[:, self._root, None]
        if self._turns:
            crop_size = (self._image_shape[1], self._image_shape[0])
            joints3d = to_viewing_ray(joints3d, affine, floats['intrinsics'], crop_size)
        return Batch(
            images=images,
            joints2d=joints2d,
            joints2d_crop=crops.apply_affine(affine, joints2d),
            joints2d_crop_truth=crops.apply_affine(affine, floats['joints2d_truth']),
            image_size=image_size,
            affine=affine,
            joints3d=joints3d,
            valid=valid,
            index=np.asarray(indices, np.int32),
            contexts=stored.get('contexts'),
            context_joints=stored.get('context_joints'),
            label=self._label(examples) if self._classes else None,
        ), tuple(complaints)

    def _label(self, examples: Sequence[Any]) -> np.ndarray:
        """The places [B] int32 of the actions of records among the classes."""
        actions = [str(label(example, 'action')) for example in examples]
        unknown = next((action for action in actions if action not in self._classes), None)
        if unknown is not None:
            raise UserError(
                f'{self.where} has a person with the action {unknown!r}, which is none of '
                f'config.data.classes, {", ".join(self._classes)}: list every action of the dataset'
            )
        return np.array([self._classes[action] for action in actions], np.int32)

    def examples(self, indices: Sequence[int] | np.ndarray) -> list[Any]:
        """The records at these positions as they are stored, mappings from a feature's name.

        Raises:
          RuntimeError: a file of the dataset is damaged.
        """
        return examples_at(self._source, indices, self._builder, self._split)

    def _name(self, index: Any, example: Any) -> str:
        """Which sample this is, for a sentence."""
        labels = ', '.join(f'{name} {label(example, name)}' for name in LABELS)
        return f'sample {index} of {self.where} ({labels})'


def _crop_size(builder: tfds.core.DatasetBuilder, notes: Mapping[str, Any]) -> tuple[int, int]:
    """(H, W) of the crops that features were made of, as their dataset notes it."""
    sides = notes.get('crop_size')
    if not isinstance(sides, (list, tuple)) or [type(side) for side in sides] != [int, int]:
        raise datasets.not_whole(builder, 'metadata.json has no crop_size of two whole numbers')
    return tuple(sides)


def to_viewing_ray(
    joints3d: np.ndarray, affine: np.ndarray, intrinsics: np.ndarray, crop_size: tuple[int, int]
) -> np.ndarray:
    """Poses of the camera's frame -> poses of the viewing-ray frame of the middle of their crops.

    A camera that is aimed at the middle of the crop has the one frame for both.

    Args:
      joints3d: [B, J, 3] relative to the root.
      affine: [B, 2, 3] from pixels of the whole image to pixels of the crop.
      intrinsics: [B, 4] fx, fy, cx, cy, pixels of the whole image.
      crop_size: (width, height) of the crops.

    Returns:
      [B, J, 3] in the dtype and the unit of `joints3d`.
    """
    middle = (np.array(crop_size) - 1.0) / 2
    inverse = crops.invert_affine(affine.astype(np.float64))
    points = crops.apply_affine(inverse, middle[None, None])[:, 0]  # [B, 2], whole image
    rotation = viewing_ray.rotation_towards(points, intrinsics)
    return (joints3d @ rotation.swapaxes(-1, -2)).astype(joints3d.dtype)


def take(batch: Batch, rows: np.ndarray) -> Batch:
    """The samples of a batch in these rows, which may repeat; it holds no frames of windows."""
    return Batch(*(None if array is None else array[rows] for array in batch))


def _decode(encoded: bytes, image: np.ndarray) -> str:
    """Decodes a picture into `image` [H, W, 3] uint8 RGB; returns what is wrong with it, or ''."""
    if not images.ends_whole(encoded):  # stored crops are JPEG, PNG or WebP files
        return 'is cut short'
    try:
        decoded = images.decode(encoded)
    except UnreadableError as error:
        return str(error)
    if decoded.shape != image.shape:
        actual, expected = (
            'x'.join(map(str, shape[1::-1])) for shape in (decoded.shape, image.shape)
        )
        return f'has {actual} pixels instead of {expected}'
    cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=image)
    return ''


def _wrong_skeleton(
    builder: tfds.core.DatasetBuilder, stored: str, other: str, skeleton: Skeleton
) -> UserError:
    return UserError(
        f'a person in {builder.data_dir} has {stored} and skeleton {skeleton.name!r} {other}; '
        'set config.skeleton to the joint set that the dataset was made with'
    )


def _check_choice(field: str, value: str, known: tuple[str, ...]) -> None:
    """UserError unless a field has one of the known values."""
    if value not in known:
        raise errors.unknown(f'config.{field}', value, known)
