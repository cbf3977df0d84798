"""Predictions of several programs for the same samples: which is nearer to the truth, and where."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files
from capf_jax.scoring import predictions, report, tables
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.poses import MM, PoseResult, default_group, videos
from capf_jax.scoring.protocols import Protocol

VIDEO = ('subject', 'action', 'sequence', 'camera')  # labels that name a video
SHORTEST = 3  # frames of a video that errors are drawn over
APART = 10  # frames of one video that lie nearer to each other look alike


@dataclasses.dataclass(frozen=True)
class Comparison:
    """P programs' poses of the same N samples.

    Attributes:
      names: of the programs, each another one.
      results: of the programs, all of the same samples in the same order.
      skeleton: the joints.
    """

    names: tuple[str, ...]
    results: tuple[PoseResult, ...]
    skeleton: Skeleton

    @property
    def labels(self) -> Mapping[str, Shaped[np.ndarray, ' N']]:
        """The five labels and 'index' of the samples."""
        return self.results[0].labels

    @property
    def targets(self) -> Float[np.ndarray, 'N J 3']:
        """True poses, metres, relative to the root."""
        return self.results[0].targets

    @functools.cached_property
    def errors(self) -> Float[np.ndarray, 'P N']:
        """MPJPE of every sample, mm."""
        return np.stack([result.errors['mpjpe'] for result in self.results])

    @functools.cached_property
    def joint_errors(self) -> Float[np.ndarray, 'P J']:
        """Mean distance of every joint from its true place, mm."""
        return np.stack(
            [
                MM * np.linalg.norm(result.predictions - result.targets, axis=-1).mean(0)
                for result in self.results
            ]
        )

    @functools.cached_property
    def is_won(self) -> Bool[np.ndarray, 'P N']:
        """Which program has the lowest error of each sample; several have it where it is equal."""
        return self.errors == self.errors.min(0)

    @property
    def advantage(self) -> Float[np.ndarray, ' N']:
        """How much nearer the first program is than the best of the others, mm."""
        return self.errors[1:].min(0) - self.errors[0]

    def won(self, chosen: Bool[np.ndarray, ' N'] | slice = slice(None)) -> Float[np.ndarray, ' P']:
        """Each program's share of the samples won; equal errors share a sample. Sums to one."""
        wins = self.is_won[:, chosen]
        return (wins / wins.sum(0)).mean(1)

    def groups(self, label: str) -> dict[str, Bool[np.ndarray, ' N']]:
        """Value of a label -> its samples, sorted."""
        values = self.labels[label]
        return {str(value): values == value for value in np.unique(values)}

    def place(self, index: int) -> int:
        """The row of the sample at this position of the split.

        Raises:
          UserError: there is no such sample, or its image did not decode.
        """
        rows = np.flatnonzero(self.labels['index'] == index)
        if not rows.size:
            last = self.labels['index'].max()
            raise UserError(
                f'--samples has {index}, which is no sample of the split; they go from 0 to {last}'
            )
        return int(rows[0])

    def video(self, **wanted: str) -> Int[np.ndarray, ' F']:
        """The rows of a video's frames in their order.

        Args:
          wanted: labels of the video, such as subject='S9'. Of several videos that fit, it is the
            one with the most frames, and of those the first; without labels, of all.

        Raises:
          UserError: no video of the split has these labels.
        """
        fits = np.ones(len(self.targets), bool)
        for name, value in wanted.items():
            known = sorted(set(self.labels[name]))
            if value not in known:
                raise UserError(
                    f'--video has {name}={value}, which the split does not have; it has '
                    f'{predictions.listed(known)}'
                )
            fits &= self.labels[name] == value
        if not fits.any():
            words = ', '.join(f'{name}={value}' for name, value in wanted.items())
            raise UserError(f'no video of the split has all of {words}')
        numbers = videos(self.labels)
        ids, counts = np.unique(numbers[fits], return_counts=True)
        rows = np.flatnonzero(numbers == ids[counts.argmax()])
        return rows[np.argsort(self.labels['frame'][rows], kind='stable')]

    def most_different(
        self, number: int, rows: Int[np.ndarray, ' F'] | None = None
    ) -> Int[np.ndarray, ' n']:
        """Samples where the programs differ most, half of them in favour of each side.

        The first program stands against the best of the others. Frames of one video are at least
        `APART` frames from one another. Of an odd number the larger half is the first program's;
        there are fewer where one side is nowhere ahead.

        Args:
          number: how many to choose.
          rows: samples to choose from; None for all.

        Returns:
          Rows, the first program's advantages first.
        """
        rows = np.arange(len(self.targets)) if rows is None else rows
        numbers, frames = videos(self.labels), np.asarray(self.labels['frame'], np.int64)
        chosen: list[int] = []
        for sign, most in ((1, -(-number // 2)), (-1, number // 2)):
            gain = sign * self.advantage[rows]
            order, taken = rows[np.argsort(-gain, kind='stable')[: int((gain > 0).sum())]], 0
            for row in order:
                if taken == most:
                    break
                near = np.abs(frames[chosen] - frames[row]) < APART
                if not np.any(near & (numbers[chosen] == numbers[row])):
                    chosen.append(int(row))
                    taken += 1
        return np.array(chosen, int)

    def sample_name(self, row: int | np.integer) -> str:
        """'S9, Walking 1, camera 54138969, frame 312'."""
        labels = {name: str(values[row]) for name, values in self.labels.items()}
        return (
            f'{labels["subject"]}, {labels["action"]} {labels["sequence"]}, '
            f'camera {labels["camera"]}, frame {labels["frame"]}'
        )

    def table(self, form: str = 'text') -> str:
        """Errors and shares of frames won, in all and by the split's first label, as a table."""
        group = default_group(self.labels)
        headers = [group, 'samples', *self.names, *(f'{name} won, %' for name in self.names)]
        rows: list[Any] = [self._row(name, chosen) for name, chosen in self.groups(group).items()]
        rows += [tables.SEPARATOR, self._row('all', np.ones(len(self.targets), bool))]
        return tables.grid(rows, headers, form)

    def _row(self, name: str, chosen: Bool[np.ndarray, ' N']) -> list[Any]:
        errors = self.errors[:, chosen].mean(1)
        return [name, int(chosen.sum()), *errors, *(100 * self.won(chosen))]

    def to_json(self) -> dict[str, Any]:
        """Averages, shares of frames won, and errors by joint and by each label."""

        def by_name(values: Any) -> dict[str, float]:
            return dict(zip(self.names, map(float, values), strict=True))

        def group(chosen: Any) -> dict[str, Any]:
            return {
                'mpjpe_mm': by_name(self.errors[:, chosen].mean(1)),
                'share_won': by_name(self.won(chosen)),
            }

        return {
            'conditions': {
                name: dict(result.conditions)
                for name, result in zip(self.names, self.results, strict=True)
            },
            'headline': {
                name: dict(result.scores)
                for name, result in zip(self.names, self.results, strict=True)
            },
            'all': group(slice(None)),
            'joints': {
                joint: by_name(self.joint_errors[:, place])
                for place, joint in enumerate(self.skeleton.joints)
            },
            'groups': {
                label: {name: group(chosen) for name, chosen in self.groups(label).items()}
                for label in tables.GROUPS
            },
        }


def compare(
    paths: Sequence[str | os.PathLike],
    split: Split,
    protocol: Protocol,
    skeleton: Skeleton,
    names: Sequence[str] = (),
) -> Comparison:
    """Scores two or more files of predictions on the same samples; the split is read once.

    Args:
      paths: files of the format of prediction_files.py.
      split: the samples that every file must have a pose for.
      protocol: which errors.
      skeleton: the dataset's joints.
      names: of the programs; () takes those of the files, and the folders where those are equal.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: there are not enough files, or one is not of the format, or does not fit the split.
    """
    if len(paths) < 2:
        raise UserError('a comparison takes two or more files of predictions; give another one')
    of_files = _names(paths)
    results = predictions.score_all(paths, split, protocol, skeleton)
    return Comparison(tuple(names) or of_files, tuple(results), skeleton)


def _names(paths: Sequence[str | os.PathLike]) -> tuple[str, ...]:
    """Names that tell the files apart: their own, or that of the folder where others have it too.

    Folders that `evaluate` makes beside a weight file stand for that file. Where folders are
    called the same too, numbers tell them apart.

    Raises:
      UserError: a file comes twice.
    """
    typed = [files.user_path(path) for path in paths]
    # epath's own `resolve` leaves links as they are, and one file may have several.
    whole = [path if files.is_remote(path) else pathlib.Path(path).resolve() for path in typed]
    for path, its_whole in zip(paths, whole, strict=True):
        if whole.count(its_whole) > 1:
            raise UserError(f'{path} is compared with itself; give every file once')
    stems = [path.stem for path in typed]  # The name of a link is what somebody has called it.
    folders = [path.parent.name.removesuffix(report.BESIDE_WEIGHTS) for path in whole]
    names = _apart(stems, [folder or stem for folder, stem in zip(folders, stems, strict=True)])
    numbered = [f'{number} {name}' for number, name in enumerate(names, 1)]
    names = _apart(names, numbered)
    return tuple(names if len({*names}) == len(names) else numbered)


def _apart(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """The names, and in place of those that come several times the others."""
    return [
        other if names.count(name) > 1 else name for name, other in zip(names, others, strict=True)
    ]
