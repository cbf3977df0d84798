"""Pictures of one camera's video: the video itself, or a folder of the frames taken out of it.

Videos are decoded by OpenCV, which the project needs anyway and which brings FFmpeg; PyAV would be
a second FFmpeg and decodes no faster. They are read front to back: seeking is not exact in every
codec, and a skipped frame is decoded anyway.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image

from data_pipeline.own_data import images
from data_pipeline.person_crops.pictures import read_image
from data_pipeline.person_crops.problems import ranges

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')
_VIDEO_SUFFIXES = ('.avi', '.mp4')
# Where programs put the frames of camera K, below S1/Seq1.
_FRAME_FOLDERS = (
    'imageSequence/video_{camera}',
    'imageFrames/video_{camera}',
    'images/video_{camera}',
    'video_{camera}',
)
_NUMBER = re.compile(r'(\d+)$')  # that a file's name ends with


@dataclasses.dataclass(frozen=True)
class Video:
    """A video file."""

    path: pathlib.Path

    @property
    def what(self) -> str:
        """How a summary calls it."""
        return 'video'

    def missing(self, frames: Sequence[int]) -> str:
        """What is wrong if `frames` (rising) are not all there, else ''.

        Raises:
          UnreadableError: the file is no video.
        """
        count = images.probe_video(self.path).frames
        if frames and count <= frames[-1]:
            count = self._count()  # a header may say too little; this takes as long as decoding
            if count <= frames[-1]:
                return (
                    f'{self.path} ends after {count} frames and the labels need '
                    f'{frames[-1] + 1}; copy or download it again'
                )
        return ''

    def size(self) -> tuple[int, int]:
        """(width, height), pixels. Raises UnreadableError."""
        medium = images.probe_video(self.path)
        return medium.width, medium.height

    def read(self, frames: Sequence[int]) -> Iterator[np.ndarray]:
        """Pixels [H, W, 3] uint8 BGR of `frames` (rising). Raises UnreadableError."""
        capture = self._open()
        try:
            reached = -1
            for frame in frames:
                grabbed = True
                while reached < frame and grabbed:
                    grabbed = capture.grab()
                    reached += 1
                decoded, image = capture.retrieve() if grabbed else (False, None)
                if not decoded:
                    raise images.UnreadableError(
                        f'frame {frame} of the video {self.path} does not decode; copy or '
                        'download it again'
                    )
                yield image
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        # One thread: the processes of a build already share the cores.
        return cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])

    def _count(self) -> int:
        capture = self._open()
        try:
            count = 0
            while capture.grab():
                count += 1
            return count
        finally:
            capture.release()


@dataclasses.dataclass(frozen=True)
class Frames:
    """A folder of pictures whose names end with their number; they start at 0 or at 1."""

    folder: pathlib.Path

    @property
    def what(self) -> str:
        """How a summary calls it."""
        return 'extracted frames'

    def _files(self) -> dict[int, pathlib.Path]:
        """Files by frame, counted from 0."""
        found = {}
        for path in sorted(self.folder.iterdir()):
            number = _NUMBER.search(path.stem)
            if path.suffix.lower() in IMAGE_SUFFIXES and number:
                found[int(number[1])] = path
        first = 0 if 0 in found else 1
        return {number - first: path for number, path in found.items()}

    def missing(self, frames: Sequence[int]) -> str:
        """What is wrong if `frames` are not all there, else ''."""
        files = self._files()
        if not files:
            return f'{self.folder} holds no numbered images, such as frame_000001.jpg'
        lost = [frame for frame in frames if frame not in files]
        if not lost:
            return ''
        first = min(files)
        return (
            f'{self.folder} lacks {len(lost)} of {len(frames)} frames, counted from 0 where '
            f'{files[first].name} is frame {first}: {ranges(lost)}; extract or copy them again'
        )

    def size(self) -> tuple[int, int]:
        """(width, height) of the first picture, pixels. Raises UnreadableError."""
        medium = images.probe_image(next(iter(self._files().values())))
        return medium.width, medium.height

    def read(self, frames: Sequence[int]) -> Iterator[np.ndarray]:
        """Pixels [H, W, 3] uint8 BGR of `frames`. Raises UnreadableError."""
        files = self._files()
        for frame in frames:
            path = files.get(frame)
            if path is None:
                raise images.UnreadableError(f'{self.folder} lacks frame {frame}')
            yield read_image(path)

    def unreadable(self, frames: Sequence[int]) -> list[pathlib.Path]:
        """Files of `frames` that do not begin as an image does, an empty one among them."""
        files = self._files()
        paths = [files[frame] for frame in frames if frame in files]
        return [path for path in paths if not _is_image(path)]


def _is_image(path: pathlib.Path) -> bool:
    try:
        with Image.open(path) as image:
            return min(image.size) > 0
    except (OSError, SyntaxError, ValueError):
        return False


def find(sequence: pathlib.Path, camera: str) -> Video | Frames | None:
    """The pictures of a camera below a training sequence's folder; the video where both are."""
    for suffix in _VIDEO_SUFFIXES:
        path = sequence / 'imageSequence' / f'video_{camera}{suffix}'
        if path.is_file():
            return Video(path)
    for pattern in _FRAME_FOLDERS:
        folder = sequence / pattern.format(camera=camera)
        if folder.is_dir():
            return Frames(folder)
    return None
