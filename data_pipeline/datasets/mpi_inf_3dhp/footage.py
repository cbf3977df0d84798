"""Footage of one camera: a video, or a folder of the frames taken out of it."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Sequence

import numpy as np

from data_pipeline import images, videos
from data_pipeline.building.problems import ranges

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')
_VIDEO_SUFFIXES = ('.avi', '.mp4')
# Folders below S1/Seq1 into which programs extract the frames of a camera.
_FRAME_FOLDERS = (
    'imageSequence/video_{camera}',
    'imageFrames/video_{camera}',
    'images/video_{camera}',
    'video_{camera}',
)
_NUMBER = re.compile(r'(\d+)$')  # the number at the end of a file's name


@dataclasses.dataclass(frozen=True)
class Video:
    """A video file."""

    path: pathlib.Path

    @property
    def what(self) -> str:
        """How a summary calls it."""
        return 'video'

    def missing(self, frames: Sequence[int]) -> str:
        """A sentence if some of `frames` (rising) are missing, else ''.

        Raises:
          UnreadableError: the file is no video.
        """
        count = videos.probe(self.path).frames
        if frames and count <= frames[-1]:
            count = videos.count_frames(self.path)  # a header may count too few
            if count <= frames[-1]:
                return (
                    f'{self.path} ends after {count} frames and the labels need '
                    f'{frames[-1] + 1}; copy or download it again'
                )
        return ''

    def present(self, frames: Sequence[int]) -> list[int]:
        """Those of `frames` (rising) that the video is long enough for. Raises UnreadableError."""
        count = videos.probe(self.path).frames
        if frames and count <= frames[-1]:
            count = videos.count_frames(self.path)
        return [frame for frame in frames if frame < count]

    def size(self) -> tuple[int, int]:
        """(width, height), pixels. Raises UnreadableError."""
        medium = videos.probe(self.path)
        return medium.width, medium.height

    def read(self, frames: Sequence[int]) -> Iterator[np.ndarray | images.UnreadableError]:
        """Pixels [H, W, 3] uint8 BGR of `frames` (rising), or what is wrong with one of them."""
        return videos.read(self.path, frames)


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
        files = {}
        for path in sorted(self.folder.iterdir()):
            number = _NUMBER.search(path.stem)
            if path.suffix.lower() in IMAGE_SUFFIXES and number:
                files[int(number[1])] = path
        first = 0 if 0 in files else 1
        return {number - first: path for number, path in files.items()}

    def missing(self, frames: Sequence[int]) -> str:
        """A sentence if some of `frames` are missing, else ''."""
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

    def present(self, frames: Sequence[int]) -> list[int]:
        """Those of `frames` that have a picture."""
        files = self._files()
        return [frame for frame in frames if frame in files]

    def size(self) -> tuple[int, int]:
        """(width, height) of the first picture, pixels. Raises UnreadableError."""
        medium = images.probe(next(iter(self._files().values())))
        return medium.width, medium.height

    def read(self, frames: Sequence[int]) -> Iterator[np.ndarray | images.UnreadableError]:
        """Pixels [H, W, 3] uint8 BGR of `frames`. Raises UnreadableError."""
        files = self._files()
        for frame in frames:
            path = files.get(frame)
            if path is None:
                raise images.UnreadableError(f'{self.folder} lacks frame {frame}')
            yield images.read(path)

    def unreadable(self, frames: Sequence[int]) -> list[pathlib.Path]:
        """Files of `frames` that do not begin as an image does; an empty file is one of them."""
        files = self._files()
        paths = [files[frame] for frame in frames if frame in files]
        return [path for path in paths if not _is_image(path)]


def _is_image(path: pathlib.Path) -> bool:
    try:
        return images.probe(path).width > 0
    except images.UnreadableError:
        return False


def find(sequence: pathlib.Path, camera: str) -> Video | Frames | None:
    """The pictures of a camera of a training sequence: its video if there is one, else a folder."""
    for suffix in _VIDEO_SUFFIXES:
        path = sequence / 'imageSequence' / f'video_{camera}{suffix}'
        if path.is_file():
            return Video(path)
    for pattern in _FRAME_FOLDERS:
        folder = sequence / pattern.format(camera=camera)
        if folder.is_dir():
            return Frames(folder)
    return None
