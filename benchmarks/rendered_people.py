"""Reads rendered people of `configs/photographs.py`, each as the camera of a photograph sees them.

The camera of such a dataset is aimed at the middle of the crop, so that the camera frame is the
frame of the viewing ray.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.inference import photograph_camera
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera
from data_pipeline import datasets
from data_pipeline.reader import Reader


@dataclasses.dataclass(frozen=True, eq=False)
class RenderedPeople:
    """N people of a test split.

    Attributes:
      crops: [N, H, W, 3] uint8 RGB.
      joints2d: [N, 17, 2], true joints, pixels of the crop.
      joints3d: [N, 17, 3], true joints, camera frame, mm, not relative to the root.
      affine: [N, 2, 3], from pixels of the whole image to pixels of the crop.
      intrinsics: [N, 4] fx, fy, cx, cy, pixels of the whole image.
      image_size: (width, height) of the whole images, pixels.
    """

    crops: np.ndarray
    joints2d: np.ndarray
    joints3d: np.ndarray
    affine: np.ndarray
    intrinsics: np.ndarray
    image_size: tuple[int, int]

    def assumed_intrinsics(self) -> np.ndarray:
        """[N, 4], those that a prediction assumes where nobody tells a picture's focal length."""
        angle = photograph_camera.FIELD_OF_VIEW
        camera: Camera = photograph_camera.from_field_of_view(angle, self.image_size).camera
        return np.tile(camera.intrinsics, (len(self.crops), 1))


def read(config: ConfigDict, number: int) -> RenderedPeople:
    """The first people of the test split of a configuration, which is built if it is missing.

    Args:
      config: a whole configuration of rendered photographs.
      number: of people, at most.

    Raises:
      UserError: the dataset has other cameras, or cannot be built or read.
    """
    if config.data.builder.get('cameras') != 'photographs':
        raise UserError(
            'the people must be rendered as photographs show them: give '
            '--config=configs/photographs.py'
        )
    builder = datasets.open_or_build(config.data, build=True)
    reader = Reader(builder, config.data.test_split, skeletons.H36M17, joints2d='truth')
    positions = np.arange(min(number, len(reader)))
    batch, _ = reader.batch(positions)
    examples = reader.examples(positions)

    def stored(name: str, *shape: int) -> np.ndarray:
        return np.array([example[name].float_list.value for example in examples]).reshape(
            -1, *shape
        )

    width, height = batch.image_size[0].astype(int).tolist()
    return RenderedPeople(
        crops=batch.images,
        joints2d=batch.joints2d_crop_truth,
        joints3d=1000 * stored('joints3d', len(skeletons.H36M17), 3),
        affine=batch.affine.astype(np.float64),
        intrinsics=stored('intrinsics', 4),
        image_size=(width, height),
    )
