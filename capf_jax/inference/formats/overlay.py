"""The people drawn onto the photograph (JPEG), or onto each frame of the video (MP4, H.264)."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from capf_jax.figures import overlay
from capf_jax.figures.overlay import PersonInImage
from capf_jax.inference.formats import mp4
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.tracks import Tracks
from capf_jax.pose import skeletons


def write(path: pathlib.Path, tracks: Tracks, pictures: Pictures | None) -> None:
    """Writes the picture or the video; nobody needs to be there.

    Args:
      path: '*.jpg' for tracks of one frame, or '*.mp4'.
      tracks: of any people.
      pictures: those of the tracks.

    Raises:
      OSError: the file could not be written.
    """
    assert pictures is not None  # which the table of formats says that this one needs
    if path.suffix == '.jpg':
        picture = Image.fromarray(next(drawn(tracks, pictures)))
        picture.save(path, quality=92, subsampling=0)
    else:
        mp4.encode(path, drawn(tracks, pictures), tracks.times, tracks.fps)


def drawn(tracks: Tracks, pictures: Pictures) -> Iterator[np.ndarray]:
    """The pictures with everyone on them, [H, W, 3] uint8 RGB."""
    skeleton = skeletons.get(tracks.skeleton)
    # A video that can no longer be decoded to its end gives fewer pictures than there are frames.
    for frame, image in zip(range(len(tracks.times)), pictures(), strict=False):
        people = [
            PersonInImage(
                int(tracks.ids[person]),
                tracks.boxes[person, frame],
                tracks.joints2d[person, frame],
                tracks.sure[person, frame],
                bool(tracks.valid[person, frame]),
            )
            for person in np.flatnonzero(tracks.present[:, frame])
        ]
        yield overlay.draw(image, people, skeleton)
