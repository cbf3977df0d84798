"""Windows: which F frames of a video stand around each person of a split, for sequence lifters.

A video is what one camera saw of one person in one sequence. Its frames are put in order by their
numbers, whatever order they are stored in. Most neighbours in a video are equally far apart; where
two are not, frames are missing, and the video falls into runs that no window crosses. A window that
would reach beyond the end of its run repeats the frame there, as published.

Nothing is stored twice: a window is a list of positions. In memory the runs of N people take eight
bytes a person.
"""

from __future__ import annotations

import contextlib
import dataclasses
import urllib.parse
import zipfile
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from jaxtyping import Int

from capf_jax.errors import UserError
from capf_jax.pose.batch import Batch
from capf_jax.runtime import files
from data_pipeline.reader import Reader, take
from data_pipeline.records import LABELS
from data_pipeline.stored_examples import label, open_split, stored_examples


@dataclasses.dataclass(frozen=True)
class Videos:
    """Which video each of the N people of a split belongs to.

    Attributes:
      names: of the videos, words that a message can use.
      numbers: [N] int32, the video of each person, an index of `names`.
      frames: [N] int32, the number of the person's frame in the video.
    """

    names: np.ndarray
    numbers: np.ndarray
    frames: np.ndarray


@dataclasses.dataclass(frozen=True)
class Runs:
    """The people of a split in runs of equally spaced frames.

    Attributes:
      order: [N] int32, positions in the split, one run after the other, each in order of time.
      places: [N] int32, where each position stands in `order`.
      starts: [R + 1] int64, where in `order` each run begins, and N.
      gaps: how many of the runs begin inside a video, after frames that are missing.
    """

    order: np.ndarray
    places: np.ndarray
    starts: np.ndarray
    gaps: int

    def windows(
        self, targets: Int[np.ndarray, ' B'], frames: int, step: int = 1, causal: bool = False
    ) -> Int[np.ndarray, 'B F']:
        """The positions of the people in the windows around these.

        Args:
          targets: positions in the split.
          frames: F.
          step: how many places of its run one frame of a window is from the next.
          causal: whether the target is the last frame of its window; otherwise it is F // 2.
        """
        places = self.places[targets]
        run = np.searchsorted(self.starts, places, side='right') - 1
        offsets = (np.arange(frames) - (frames - 1 if causal else frames // 2)) * step
        inside = np.clip(
            places[:, None] + offsets, self.starts[run, None], self.starts[run + 1, None] - 1
        )
        return self.order[inside]

    def repeating(self, frames: int, step: int = 1) -> int:
        """How many of the N windows of F frames reach beyond an end of their run, causal or not."""
        return int(np.minimum(np.diff(self.starts), (frames - 1) * step).sum())


def runs_of(videos: Videos, where: str = 'the split') -> Runs:
    """The runs of a split.

    Args:
      videos: of each person.
      where: the split, for a message.

    Raises:
      UserError: a video has a frame twice.
    """
    order = np.lexsort((videos.frames, videos.numbers)).astype(np.int32)
    numbers, frames = videos.numbers[order], videos.frames[order].astype(np.int64)
    same_video, steps = numbers[1:] == numbers[:-1], np.diff(frames)
    for place in np.flatnonzero(same_video & (steps == 0))[:1]:
        raise UserError(
            f'{where} has frame {frames[place]} of {videos.names[numbers[place]]} twice: give '
            'every person and video labels of their own (subject, sequence, camera) and build the '
            'dataset again'
        )
    spacing = _spacing(numbers[1:][same_video], steps[same_video], len(videos.names))
    follows_gap = same_video & (steps != spacing[numbers[1:]])
    begins = ~same_video | follows_gap
    starts = np.concatenate([[0], np.flatnonzero(begins) + 1, [len(order)]])
    places = np.empty_like(order)
    places[order] = np.arange(len(order), dtype=np.int32)
    return Runs(order, places, starts, int(follows_gap.sum()))


def _spacing(numbers: np.ndarray, steps: np.ndarray, count: int) -> np.ndarray:
    """The most common step [V] between neighbours of each video, the smallest of several; or 0.

    Args:
      numbers: [K], the video of each pair of neighbours.
      steps: [K], how far apart the two are.
      count: number V of videos.
    """
    spacing = np.zeros(count, np.int64)
    if len(steps):
        (videos, sizes), pairs = np.unique(np.stack([numbers, steps]), axis=1, return_counts=True)
        # The last one written stays: the most common, and of these the smallest.
        for row in np.lexsort((-sizes, pairs)):
            spacing[videos[row]] = sizes[row]
    return spacing


def videos_of(builder: tfds.core.DatasetBuilder, split: str) -> Videos:
    """The video of each person of a split, from the labels.

    The subject, the sequence and the camera name a video. The action belongs to its name only
    where frames would be there twice without it, since some datasets label the action of every
    frame of a sequence.

    All records are read once; what they say is kept beside the dataset for the next time.

    Raises:
      UserError: the split is missing or empty.
      RuntimeError: a file of the dataset is damaged.
    """
    path = epath.Path(builder.data_dir) / f'videos-{urllib.parse.quote(split, safe="")}.npz'
    videos = _load(path)
    if videos is not None and len(videos.numbers) == len(open_split(builder, split)):
        return videos
    videos = _read(builder, split)
    # A folder that may only be read gives windows too, and is read again the next time.
    with (
        contextlib.suppress(OSError),
        files.whole(path) as temporary,
        temporary.open('wb') as file,
    ):
        np.savez(file, **vars(videos))
    return videos


def _read(builder: tfds.core.DatasetBuilder, split: str) -> Videos:
    """The videos of a split, from all its records."""
    videos: dict[tuple[str, ...], int] = {}
    acts: dict[tuple[str, ...], int] = {}
    rows = np.empty((len(open_split(builder, split)), 3), np.int32)
    for row, example in zip(rows, stored_examples(builder, split), strict=True):
        subject, action, sequence, camera, frame = (label(example, name) for name in LABELS)
        video = videos.setdefault((f'{subject}', f'{sequence}', f'{camera}'), len(videos))
        act = acts.setdefault((f'{subject}', f'{action}', f'{sequence}', f'{camera}'), len(acts))
        row[:] = video, act, frame
    numbers, actions, frames = np.ascontiguousarray(rows.T)
    if len(np.unique(np.stack([numbers, frames]), axis=1)[0]) == len(frames):
        names = [f'subject {s!r}, sequence {q!r}, camera {c!r}' for s, q, c in videos]
        return Videos(np.array(names), numbers, frames)
    names = [f'subject {s!r}, action {a!r}, sequence {q!r}, camera {c!r}' for s, a, q, c in acts]
    return Videos(np.array(names), actions, frames)


def _load(path: epath.Path) -> Videos | None:
    """What `videos_of` has kept; None if it is not there or does not read."""
    try:
        with files.local(path) as local, np.load(local, allow_pickle=False) as arrays:
            return Videos(
                **{field.name: arrays[field.name] for field in dataclasses.fields(Videos)}
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


class WindowReader:
    """A reader whose batches hold the frames of the windows around their people.

    A frame that several windows of a batch share is read and decoded once.
    """

    def __init__(
        self,
        reader: Reader,
        runs: Runs,
        *,
        frames: int,
        step: int = 1,
        causal: bool = False,
    ):
        """Makes windows of the people of a reader.

        Args:
          reader: of the split.
          runs: of the same split.
          frames: F.
          step: see `Runs.windows`.
          causal: see `Runs.windows`.

        Raises:
          UserError: no person of the split has a neighbour, so that no window shows a motion.
        """
        if frames > 1 and len(runs.starts) > len(runs.order):
            raise UserError(
                f'{reader.where} has no sequences, since no person in it has a neighbour in time, '
                f'and config.data.frames is {frames}: take a dataset of videos (of synthetic data '
                'with config.data.builder.clip_frames), or set config.data.frames=1'
            )
        self._reader, self._runs = reader, runs
        self._frames, self._step, self._causal = frames, step, causal

    def __len__(self) -> int:
        return len(self._reader)

    @property
    def where(self) -> str:
        """The split, for a message."""
        return self._reader.where

    @property
    def repetitions(self) -> str:
        """How many windows repeat frames, in words; '' where none does, as of one frame."""
        runs, number = self._runs, self._runs.repeating(self._frames, self._step)
        if not number:
            return ''
        lengths = np.diff(runs.starts)
        return (
            f'{number} of {len(self)} windows of {self._frames} frames in {self.where} reach '
            'beyond an end of their video or into a gap of it, and repeat the frame there '
            f'(videos: {len(lengths) - runs.gaps}, gaps: {runs.gaps}, frames of the shortest piece '
            f'without a gap: {lengths.min()})'
        )

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Batch, tuple[str, ...]]:
        """The samples at these positions with the frames of their windows; see `Reader.batch`."""
        targets = np.asarray(indices)
        windows = self._runs.windows(targets, self._frames, self._step, self._causal)
        present, rows = np.unique(windows, return_inverse=True)
        rows = rows.reshape(windows.shape)
        people, complaints = self._reader.batch(present)
        target = self._frames - 1 if self._causal else self._frames // 2
        return take(people, rows[:, target])._replace(frames=take(people, rows.ravel())), complaints
