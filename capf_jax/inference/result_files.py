"""The files of each picture's result, written while the next picture is predicted."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from tqdm import tqdm

from capf_jax.errors import UserError
from capf_jax.inference import people_files, result_origin
from capf_jax.inference.formats import catalog
from capf_jax.inference.formats.catalog import Format
from capf_jax.inference.people import People
from capf_jax.inference.result_origin import Origin
from capf_jax.inference.sources import Picture
from capf_jax.runtime import files

FIGURE = 'png'
_BEHIND = 2  # pictures that may wait to be written


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the result of a picture goes.

    Attributes:
      stem: the path of its files without an ending.
      endings: those of the files, in the order in which they are written.
      formats: further files, for other programs.
      origin: what the result is made of and how; None remembers nothing.
    """

    stem: pathlib.Path
    endings: tuple[str, ...]
    formats: tuple[Format, ...] = ()
    origin: Origin | None = None

    @property
    def paths(self) -> tuple[pathlib.Path, ...]:
        """All files."""
        return tuple(self.stem.with_name(f'{self.stem.name}.{end}') for end in self.endings)

    def is_finished(self) -> bool:
        """Whether every file is there; each is whole or absent."""
        return all(path.is_file() for path in self.paths) and self._has_formats()

    def _has_formats(self) -> bool:
        if catalog.are_written(self.formats, self.stem, shows_nobody=False, is_video=False):
            return True
        if not catalog.are_written(self.formats, self.stem, shows_nobody=True, is_video=False):
            return False
        people = people_files.read(self.stem.with_name(f'{self.stem.name}.npz'))
        return not people.valid.any()


def unfinished(
    paths: Sequence[pathlib.Path],
    outputs: Sequence[Output],
    options: Mapping[str, Any],
    overwrites: bool,
) -> list[tuple[pathlib.Path, Output]]:
    """The pictures that are left to do; what is to be known of the finished ones is printed.

    Args:
      paths: of the pictures.
      outputs: of each, without an origin.
      options: the arguments that results depend on.
      overwrites: whether finished ones are made again.

    Returns:
      Each picture with its output, which has an origin where the picture can be read.
    """
    left, others = [], set()
    for path, output in zip(paths, outputs, strict=True):
        try:
            now = Origin(result_origin.fingerprint(path), '', options)
        except OSError:  # It is told when the picture's turn comes, and the others are done.
            left.append((path, output))
            continue
        job = path, dataclasses.replace(output, origin=now)
        if overwrites or not output.is_finished():
            left.append(job)
            continue
        try:
            before = result_origin.of_picture(output.stem.with_name(f'{output.stem.name}.json'))
        except (ValueError, OSError):  # A damaged result is no result: it is made again.
            left.append(job)
            continue
        if before is not None and before.source != now.source:
            print(f'{path} is not the picture that {output.stem} was made of: it is done again')
            left.append(job)
        elif before is not None:
            others |= before.other_options(options)
    if len(left) < len(outputs):
        count = f'{len(outputs) - len(left)} of {len(outputs)} pictures'
        print(f'{count} are finished already (--overwrite redoes)')
    if others:
        print(result_origin.words_of_others(others))
    return left


def write(people: People, picture: Picture, output: Output) -> list[str]:
    """Writes all files of a picture.

    Returns:
      A sentence for each format that has no file, since nobody has a pose.

    Raises:
      OSError: a file cannot be written.
    """
    sentences = []
    if output.formats:
        sentences = catalog.write_people(output.formats, output.stem, people, picture.pixels)
    for path in output.paths:
        if path.suffix == f'.{FIGURE}':
            # Matplotlib takes long to import, and not everyone wants the figure.
            from capf_jax.inference import people_pictures

            people_pictures.write(path, picture.pixels, people)
        else:
            people_files.write(path, people, output.origin and output.origin.document())
    return sentences


class Writer:
    """Writes results in a thread of its own, one after the other; used by `with`.

    What goes wrong there is raised at a later call, and at the latest at the end of the `with`.
    """

    def __init__(self, total: int, finished: int) -> None:
        """A writer of results.

        Args:
          total: pictures that there are.
          finished: those whose results are there already.
        """
        self._total, self._finished = total, finished
        self._has_failed = False
        self._pool = ThreadPoolExecutor(1)
        self._waiting: collections.deque[tuple[Output, Future[list[str]]]] = collections.deque()

    def prepare_figures(self) -> None:
        """Imports Matplotlib ahead, for results that have a figure."""
        self._pool.submit(_import_figures)

    def write(self, people: People, picture: Picture, output: Output) -> None:
        """Lets the files of a picture be written; waits where too many are waiting.

        Raises:
          UserError: the disk is full.
          OSError: a file cannot be written.
        """
        self._waiting.append((output, self._pool.submit(self._write, people, picture, output)))
        while len(self._waiting) > _BEHIND:
            self._finish_first()

    def _write(self, people: People, picture: Picture, output: Output) -> list[str]:
        """Writes in the thread; nothing more after a failure, such as a full disk."""
        if self._has_failed:
            return []
        try:
            return write(people, picture, output)
        except BaseException:
            self._has_failed = True
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # What was predicted before an error is still written, and Ctrl-C waits for one picture.
            while self._waiting and (error is None or isinstance(error, Exception)):
                self._finish_first()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _finish_first(self) -> None:
        output, future = self._waiting.popleft()
        try:
            for sentence in future.result():
                tqdm.write(sentence, file=sys.stdout)
        except OSError as error:
            self._waiting.clear()
            self._pool.shutdown(cancel_futures=True)
            if not files.disk_is_full(error):
                raise
            raise UserError(
                f'the disk of {output.stem.parent} is full at {output.stem.name}, after '
                f'{self._finished} of {self._total} pictures: make room there or name another '
                '--output; what is finished is kept, and the same command goes on'
            ) from error
        self._finished += 1


def _import_figures() -> None:
    from capf_jax.inference import people_pictures

    del people_pictures
