"""The files of a video's result: what is there already, and how they are written."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

from capf_jax.inference import people_files, result_origin, tracks_files
from capf_jax.inference.formats import catalog
from capf_jax.inference.formats.catalog import Format
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.result_origin import Origin
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import track_parts
from capf_jax.runtime import files

ENDINGS = ('json', 'csv')  # of `people_files`, beside the NumPy archive


@dataclasses.dataclass(frozen=True, eq=False)
class FilesOfResult:
    """The files that a command is asked for.

    Attributes:
      stem: their path without an ending.
      endings: those of `people_files` beside the NumPy archive, such as 'csv'.
      formats: those of other programs.
    """

    stem: pathlib.Path
    endings: tuple[str, ...] = ()
    formats: Sequence[Format] = ()

    def path(self, ending: str) -> pathlib.Path:
        """The file with an ending."""
        return self.stem.with_name(f'{self.stem.name}.{ending}')

    @property
    def archive(self) -> pathlib.Path:
        """The NumPy archive, which is written last: it tells that a video is finished."""
        return self.path('npz')

    def missing(self) -> FilesOfResult:
        """Those beside the archive that are not there; each is whole or absent.

        Raises:
          UserError: the archive is damaged.
        """
        endings = tuple(one for one in self.endings if not self.path(one).is_file())
        formats = self._missing_formats(shows_nobody=False)
        if formats and not tracks_files.read(self.archive).valid.any():
            formats = self._missing_formats(shows_nobody=True)
        return FilesOfResult(self.stem, endings, formats)

    def _missing_formats(self, *, shows_nobody: bool) -> tuple[Format, ...]:
        return tuple(
            one
            for one in self.formats
            if not catalog.are_written([one], self.stem, shows_nobody=shows_nobody)
        )


@dataclasses.dataclass(frozen=True, eq=False)
class ResultState:
    """What is there already of a video's result.

    Attributes:
      has_archive: whether the NumPy archive is there, and of this very video.
      missing: what lacks beside it.
      origin: of the archive; None where it tells none.
      note: a sentence for the user where the archive is of another video; else ''.
    """

    has_archive: bool = False
    missing: FilesOfResult | None = None
    origin: Origin | None = None
    note: str = ''

    @property
    def is_finished(self) -> bool:
        """Whether all files are there."""
        missing = self.missing
        return self.has_archive and missing is not None and not (missing.endings or missing.formats)


def look(path: pathlib.Path, result: FilesOfResult) -> ResultState:
    """What is there already of the result of a video; a damaged archive is none.

    Args:
      path: the video.
      result: the files that are to be there.
    """
    if not result.archive.is_file():
        return ResultState()
    try:
        origin = result_origin.read(result.archive)
        if origin is not None and origin.source != result_origin.fingerprint(path):
            words = f'{path} is not the video that {result.archive} was made of'
            return ResultState(note=f'{words}: it is predicted again')
        return ResultState(True, result.missing(), origin)
    except (ValueError, OSError):
        return ResultState()


def write(
    result: FilesOfResult, tracks: Tracks, pictures: Pictures | None, origin: Origin | None
) -> list[str]:
    """Writes the result of a video: first the other files, and last the NumPy archive.

    Args:
      result: its files.
      tracks: of the video.
      pictures: of the video; None where they are gone.
      origin: of the result, which the archive remembers; None of a camera.

    Returns:
      A sentence for each format that has no file, since nobody has a pose.

    Raises:
      DiskFullError: the disk is full.
      OSError: a file could not be written.
    """
    sentences = write_beside(result, tracks, pictures)
    with _full_disk_told(result.stem):
        tracks_files.write(result.archive, tracks, {} if origin is None else origin.fields())
    return sentences


def remove_others(result: FilesOfResult) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Removes files of an older result that this one does not replace.

    They would seem to belong to it. With the same options they are made again of the archive.

    Args:
      result: the files that are replaced.

    Returns:
      The files that are removed, and those that stay, since a user may have files of these names.
    """
    paths, others = [], [result.path(one) for one in ENDINGS if one not in result.endings]
    for one in catalog.FORMATS.values():
        if one not in result.formats:
            paths += catalog.person_files(one, result.stem) if one.is_per_person else []
            (others if one.name == 'calib' else paths).extend(catalog.paths([one], result.stem))
    removed = [path for path in paths if path.is_file()]
    for path in removed:
        path.unlink()
    return removed, [path for path in others if path.is_file()]


def write_beside(result: FilesOfResult, tracks: Tracks, pictures: Pictures | None) -> list[str]:
    """`write` without the NumPy archive."""
    with _full_disk_told(result.stem):
        for ending in result.endings:
            rows = people_files.join([tracks.people(t) for t in range(len(tracks.times))])
            people_files.write(result.path(ending), rows)
        return catalog.write(result.formats, result.stem, tracks, pictures)


@contextlib.contextmanager
def _full_disk_told(stem: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not files.disk_is_full(error):
            raise
        raise track_parts.DiskFullError(
            f'the disk of {stem.parent} is full at {stem.name}: make room there or name another '
            '--output; all frames are kept, and the same command goes on'
        ) from error
