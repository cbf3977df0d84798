"""`PeopleFinder`: the people of a picture, with their boxes and their 2D joints."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import cv2
import jax
import numpy as np
from jaxtyping import Float, UInt8

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference.network_check import check
from capf_jax.inference.weight_files import load_weights
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.movenet_multipose import (
    MOST_PEOPLE,
    MULTIPLE,
    MoveNetMultiPose,
    PictureDetection,
    PictureMaps,
    people_of,
)
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton

KIND = 'person_finder'  # of a weight file
LONGER_SIDE = 256  # of the picture that the network sees, pixels; 384 finds smaller people
LEAST_SCORE = 0.11


@dataclasses.dataclass(frozen=True)
class PicturePeople:
    """The N people of a picture, the likeliest first; pixels of the picture, x right and y down.

    A pixel's coordinates are counted from the centre of the top left one.

    Attributes:
      boxes: x and y of the top left corner, width and height; inside the picture.
      scores: how likely each is a person, 0 to 1.
      joints2d: of the finder's skeleton, the same for every person.
      confidence: of the joints, 0 to 1.
    """

    boxes: Float[np.ndarray, 'N 4']
    scores: Float[np.ndarray, ' N']
    joints2d: Float[np.ndarray, 'N J 2']
    confidence: Float[np.ndarray, 'N J']

    def __len__(self) -> int:
        """The number of people."""
        return len(self.scores)


@dataclasses.dataclass(frozen=True, eq=False)
class PeopleFinder:
    """A network that finds up to six people in a picture of any size.

    Attributes:
      path: the weight file.
      skeleton: the joints J that it finds.
      module: the network.
      variables: of the network, on the device.
    """

    path: str
    skeleton: Skeleton
    module: MoveNetMultiPose
    variables: Any = dataclasses.field(repr=False)

    @property
    def most_people(self) -> int:
        """How many people it finds at most."""
        return MOST_PEOPLE

    @classmethod
    def load(cls, path: str | os.PathLike) -> PeopleFinder:
        """Reads a weight file of `converters.convert`, such as the one in pretrained/.

        Raises:
          FileNotFoundError: there is no such file.
          UserError: it is no weight file of ours, or not one of a person finder.
        """
        variables, metadata = load_weights(path)
        kind = metadata.get('kind')
        if kind != KIND:
            raise UserError(
                f'{path} holds {metadata.get("name", kind)!r}, which finds no people in whole '
                f'pictures: give pretrained/movenet_multipose.safetensors'
            )
        try:
            module = MoveNetMultiPose(**metadata['model'])
            images = jax.ShapeDtypeStruct((1, LONGER_SIDE, LONGER_SIDE, 3), np.float32)
            check(variables, module, images)
            skeleton = skeletons.get(metadata['skeleton'])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f'{path} cannot be used: {error}') from error
        prepared: Mapping[str, Any] = jax.device_put(programs.prepared(variables))
        return cls(str(path), skeleton, module, prepared)

    def find(
        self,
        image: UInt8[np.ndarray, 'H W 3'],
        *,
        least_score: float = LEAST_SCORE,
        longer_side: int = LONGER_SIDE,
    ) -> PicturePeople:
        """The people of one picture.

        Args:
          image: RGB.
          least_score: people of a lower score are left out.
          longer_side: of the picture that the network sees, pixels, a multiple of 32. A larger one
            finds smaller people, and takes longer.

        Raises:
          UserError: another dtype or shape, or a side that is no multiple of 32.
        """
        image = np.asarray(image)
        _check(image, longer_side)
        padded, scale = shrunken(image, longer_side)
        detection = jax.device_get(_run(self.module, self.variables, padded[None]))
        return _on_picture(detection, scale, image.shape[:2], least_score)

    def find_all(
        self,
        images: Sequence[UInt8[np.ndarray, 'H W 3']],
        *,
        least_score: float = LEAST_SCORE,
        longer_side: int = LONGER_SIDE,
    ) -> list[PicturePeople]:
        """The people of each of some pictures of one size, by one batch.

        Args:
          images: RGB, at least one.
          least_score: as for `find`.
          longer_side: as for `find`.

        Raises:
          UserError: as `find`, or pictures of several sizes.
        """
        pictures = [np.asarray(image) for image in images]
        for picture in pictures:
            _check(picture, longer_side)
        sizes = {picture.shape for picture in pictures}
        if len(sizes) != 1:
            raise UserError(f'pictures of {len(sizes)} sizes are no batch; give those of one size')
        smaller = [shrunken(picture, longer_side) for picture in pictures]
        batch = np.stack([padded for padded, _ in smaller])
        people = jax.device_get(_run_all(self.module, self.variables, batch))
        size = pictures[0].shape[:2]
        return [
            _on_picture(jax.tree.map(lambda x, at=at: x[at], people), scale, size, least_score)
            for at, (_, scale) in enumerate(smaller)
        ]


def _check(image: np.ndarray, longer_side: int) -> None:
    """UserError for no RGB picture, or for a side that is no multiple of 32."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UserError(
            f'image is {image.dtype} {list(image.shape)}; it must be RGB, uint8 [H, W, 3]'
        )
    if longer_side < MULTIPLE or longer_side % MULTIPLE:
        raise UserError(f'longer_side is {longer_side}; it must be a multiple of {MULTIPLE}')


def shrunken(
    image: UInt8[np.ndarray, 'H W 3'], longer_side: int
) -> tuple[UInt8[np.ndarray, 'H2 W2 3'], Float[np.ndarray, ' 2']]:
    """A picture whose longer side is `longer_side`, with black below and on the right.

    Both sides are multiples of 32, so that pictures of few shapes are compiled for.

    Returns:
      The picture, and how many of its pixels one of the original has, along x and y.
    """
    height, width = image.shape[:2]
    factor = longer_side / max(height, width)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=way)
    below, right = (-small.shape[0]) % MULTIPLE, (-small.shape[1]) % MULTIPLE
    padded = np.pad(small, ((0, below), (0, right), (0, 0)))
    return padded, np.array([size[0] / width, size[1] / height])


def _on_picture(
    detection: PictureDetection, scale: np.ndarray, size: tuple[int, int], least_score: float
) -> PicturePeople:
    """People in pixels of the original picture of (height, width), without the unlikely ones."""
    boxes, scores, joints2d, confidence = (np.asarray(array) for array in detection)
    order = np.argsort(-scores, kind='stable')
    order = order[scores[order] >= least_score]
    # Pixels of both pictures are counted from the centres of their first ones, which lie apart.
    first = (boxes[order, :2] + 0.5) / scale - 0.5
    last = (boxes[order, :2] + boxes[order, 2:] + 0.5) / scale - 0.5
    border = np.array(size[::-1]) - 1.0
    first, last = np.clip(first, 0, border), np.clip(last, 0, border)
    has_area = (last - first).min(axis=-1, initial=np.inf) > 0
    order, first, last = order[has_area], first[has_area], last[has_area]
    return PicturePeople(
        boxes=np.concatenate([first, last - first], axis=-1).astype(np.float32),
        scores=scores[order],
        joints2d=((joints2d[order] + 0.5) / scale - 0.5).astype(np.float32),
        confidence=confidence[order],
    )


@functools.partial(programs.jit, static_argnums=0, quickly=True)
def _run(module: MoveNetMultiPose, variables: Any, images: jax.Array) -> PictureDetection:
    """The likeliest people of one picture [1, H, W, 3] uint8, in its pixels."""
    maps = _maps(module, variables, images)
    return people_of(jax.tree.map(lambda x: x[0], maps))


@functools.partial(programs.jit, static_argnums=0, quickly=True)
def _run_all(module: MoveNetMultiPose, variables: Any, images: jax.Array) -> PictureDetection:
    """The likeliest people of each of B pictures [B, H, W, 3] uint8."""
    return jax.vmap(people_of)(_maps(module, variables, images))


def _maps(module: MoveNetMultiPose, variables: Any, images: jax.Array) -> PictureMaps:
    normal = catalog.normalise_images(images, catalog.get('movenet_thunder'))
    with jax.default_matmul_precision('highest'):
        return cast(PictureMaps, module.apply(variables, normal))
