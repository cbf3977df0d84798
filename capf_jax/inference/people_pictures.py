"""The picture of `People`: their photograph with 2D joints, and their poses from two sides."""

from __future__ import annotations

import os

import numpy as np
from etils import epath
from jaxtyping import UInt8
from matplotlib.figure import Figure

from capf_jax.figures import photograph
from capf_jax.inference.people import People
from capf_jax.pose import skeletons


def write(path: str | os.PathLike, image: UInt8[np.ndarray, 'H W 3'], people: People) -> epath.Path:
    """Draws the people of a photograph into a file, whole or not at all; returns its path.

    Poses are drawn along the photograph's own axes, whatever `people.axes` is.

    Args:
      path: '*.jpg', '*.png' or '*.pdf', as a user may write it; its folder is made.
      image: the photograph, RGB, of the pixels that `people.joints2d` counts.
      people: any number, also nobody.

    Raises:
      OSError: the file could not be written.
    """
    return photograph.save(figure_of(image, people), path)


def figure_of(image: UInt8[np.ndarray, 'H W 3'], people: People) -> Figure:
    """The figure that `write` writes; notebooks show it.

    Args:
      image: as of `write`.
      people: as of `write`.
    """
    joints = people.joints3d_camera
    root = skeletons.get(people.skeleton).root
    drawn = [
        photograph.PersonInPhotograph(
            number=int(people.ids[n]),
            box=people.boxes[n],
            joints2d=people.joints2d[n],
            confidence=people.confidence[n],
            pose=joints[n] - joints[n, root] if people.valid[n] else None,
            title=f'{np.linalg.norm(people.root[n]):.1f} m away',
        )
        for n in range(len(people))
    ]
    caption = f'{people.source}; camera: {people.camera_origin}'
    caption += ', so that distances are a guess.' if people.camera_assumed else '.'
    return photograph.photograph_figure(
        image,
        drawn,
        skeletons.get(people.joints2d_skeleton),
        skeletons.get(people.skeleton),
        caption,
    )
