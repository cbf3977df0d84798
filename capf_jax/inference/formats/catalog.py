"""The table of all formats: their names, files and needs, and the one way to write them.

    chosen = catalog.choose('trc,bvh,html')
    sentences = catalog.write(chosen, 'poses/walk', tracks, pictures)

docs/formats.md says what each file holds. A further format is one module and one row.
"""

from __future__ import annotations

import dataclasses
import glob
import importlib
import importlib.util
import os
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference import tracks as tracks_module
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.people import People
from capf_jax.inference.tracks import Tracks
from capf_jax.runtime import files

REQUIREMENTS = 'requirements-formats.txt'


@dataclasses.dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
      name: what a user calls it.
      module: of this package, whose `write(path, tracks, pictures)` writes it. It is imported where
        the format is used, since some need libraries that few people have.
      ending: of the file's name, behind its first dot.
      film_ending: that of tracks of a video, where it is another one.
      words: what the file is, for --help.
      library: the module that it needs beside those of requirements.txt; '' for none.
      package: what to install to have that module.
      film_library, film_package: likewise, needed for videos alone.
      is_per_person: whether each person has a file of its own, 'NAME.personID.ENDING'.
      needs_people: whether there is no file of nobody.
      needs_pictures: whether it is nothing without pictures.
      options: further arguments of `write`.
      brings: the name of a format that comes with it; '' for none.
    """

    name: str
    module: str
    ending: str
    words: str
    film_ending: str = ''
    library: str = ''
    package: str = ''
    film_library: str = ''
    film_package: str = ''
    is_per_person: bool = False
    needs_people: bool = False
    needs_pictures: bool = False
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    brings: str = ''

    def ending_of(self, is_video: bool) -> str:
        """The ending of the file's name."""
        return self.film_ending if is_video and self.film_ending else self.ending


_VIDEO: dict[str, Any] = {'film_library': 'av', 'film_package': 'av'}
_EACH: dict[str, Any] = {'is_per_person': True, 'needs_people': True}
FORMATS = {
    row.name: row
    for row in (
        Format('trc', 'trc', 'trc', 'markers, mm, for OpenSim and Pose2Sim', brings='calib',
               **_EACH),
        Format('trc_m', 'trc', 'm.trc', 'the same in metres, for Pose2Sim\'s add-on for Blender',
               options={'unit': 'm'}, brings='calib', **_EACH),
        Format('calib', 'calibration', 'calib.toml', 'the camera, as Pose2Sim has it'),
        Format('bvh', 'bvh', 'bvh', 'bones and rotations, for animation programs', **_EACH),
        Format('c3d', 'c3d', 'c3d', 'markers, mm, for motion-capture programs', library='c3d',
               package='c3d', **_EACH),
        Format('gltf', 'gltf', 'glb', 'everyone as figures that move, for 3D programs',
               library='pygltflib', package='pygltflib', needs_people=True),
        Format('overlay', 'overlay', 'overlay.jpg', 'people drawn onto the picture or video',
               film_ending='overlay.mp4', needs_pictures=True, **_VIDEO),
        Format('html', 'html', 'html', 'a page to turn people in 3D beside picture or video',
               **_VIDEO),
        Format('rrd', 'rrd', 'rrd', 'for the viewer Rerun', library='rerun', package='rerun-sdk',
               **_VIDEO),
    )
}  # fmt: skip

NAMES_IN_WORDS = '; '.join(f'{one.name}: {one.words}' for one in FORMATS.values())  # for --help


def choose(text: str, others: Iterable[str] = ()) -> tuple[Format, ...]:
    """The formats that a user names, each once, and those that come with them.

    Args:
      text: names with commas between them; '' for none.
      others: names that mean something else to the caller, who has to look for them in `text`.

    Raises:
      UserError: an unknown name; the nearest one is named.
    """
    others = tuple(others)
    chosen: dict[str, Format] = {}
    for name in names_in(text):
        if name in others:
            continue
        if name not in FORMATS:
            raise errors.unknown('--format', name, [*FORMATS, *others])
        for one in filter(None, (FORMATS[name].brings, name)):
            chosen[one] = FORMATS[one]
    return tuple(chosen.values())


def names_in(text: str) -> list[str]:
    """The names between the commas, without spaces and in lower case."""
    return [name for name in (part.strip().lower() for part in text.split(',')) if name]


def check(formats: Sequence[Format], is_video: bool = True) -> None:
    """Asks before the work whether every format can be written.

    Raises:
      UserError: a library is missing; the command that installs it is named.
    """
    for one in formats:
        needs = [(one.library, one.package)]
        if is_video:
            needs.append((one.film_library, one.film_package))
        for library, package in needs:
            if library and importlib.util.find_spec(library) is None:
                raise UserError(
                    f'--format={one.name} needs the package {package}, which is not installed: '
                    f'pip install {package}, or all that formats need: '
                    f'pip install -r {REQUIREMENTS}'
                )


def write(
    formats: Sequence[Format],
    stem: str | os.PathLike,
    tracks: Tracks,
    pictures: Pictures | None = None,
    *,
    is_video: bool = True,
) -> list[str]:
    """Writes tracks in every format; each file is whole or absent.

    Args:
      formats: of `choose`.
      stem: the path of the files without an ending.
      tracks: any number of people and frames.
      pictures: those of the tracks; formats that show pictures do without where it is None, if they
        can.
      is_video: whether the tracks are of a video, and not of a photograph.

    Returns:
      A sentence for each format that has no file, since nobody has a pose.

    Raises:
      UserError: a library is missing, or a format needs the pictures.
      OSError: a file could not be written.
    """
    check(formats, is_video)
    stem = files.path_here(stem)
    has_pose = tracks.valid.any(axis=1) if len(tracks.times) else np.zeros(len(tracks), bool)
    sentences = []
    for one in formats:
        ending = one.ending_of(is_video)
        if one.is_per_person:
            paths = []
            for person in np.flatnonzero(has_pose):
                paths.append(_with(stem, f'person{tracks.ids[person]}.{ending}'))
                _write(one, paths[-1], tracks.select(people=[person]), pictures)
            # An earlier result may have had further people, whose files would seem to belong to it.
            for path in person_files(one, stem, is_video):
                if path not in paths:
                    path.unlink()
        elif has_pose.any() or not one.needs_people:
            _write(one, _with(stem, ending), tracks, pictures)
        else:
            _with(stem, ending).unlink(missing_ok=True)
        if one.needs_people and not has_pose.any():
            sentences.append(f'{tracks.source}: nobody has a pose, so that there is no .{ending}')
    return sentences


def write_people(
    formats: Sequence[Format], stem: str | os.PathLike, people: People, image: np.ndarray
) -> list[str]:
    """`write` for the people of one photograph.

    Args:
      formats: of `choose`.
      stem: the path of the files without an ending.
      people: any number of them.
      image: [H, W, 3] uint8 RGB, the photograph.
    """
    tracks = tracks_module.of_people([people], fps=1.0)
    return write(formats, stem, tracks, lambda: [image], is_video=False)


def are_written(
    formats: Sequence[Format], stem: pathlib.Path, shows_nobody: bool, is_video: bool = True
) -> bool:
    """Whether the files of every format are there.

    Args:
      formats: of `choose`.
      stem: the path of the files without an ending.
      shows_nobody: whether nobody in the result has a pose, so that some formats have no file.
      is_video: as of `write`.
    """
    for one in formats:
        if one.needs_people and shows_nobody:
            continue
        if one.is_per_person:
            is_there = bool(person_files(one, stem, is_video))
        else:
            is_there = _with(stem, one.ending_of(is_video)).is_file()
        if not is_there:
            return False
    return True


def paths(
    formats: Sequence[Format], stem: pathlib.Path, is_video: bool = True
) -> tuple[pathlib.Path, ...]:
    """The files of those formats that have one file for everyone."""
    return tuple(_with(stem, one.ending_of(is_video)) for one in formats if not one.is_per_person)


def person_files(one: Format, stem: pathlib.Path, is_video: bool = True) -> list[pathlib.Path]:
    """The files of a format with one for each person that are there."""
    pattern = re.compile(
        rf'{re.escape(stem.name)}\.person-?\d+\.{re.escape(one.ending_of(is_video))}'
    )
    beside = stem.parent.glob(f'{glob.escape(stem.name)}.person*')
    return sorted(path for path in beside if pattern.fullmatch(path.name))


def _with(stem: pathlib.Path, ending: str) -> pathlib.Path:
    return stem.with_name(f'{stem.name}.{ending}')


def _write(one: Format, path: pathlib.Path, tracks: Tracks, pictures: Pictures | None) -> None:
    """Writes one file, whole or not at all."""
    if one.needs_pictures and pictures is None:
        raise UserError(f'--format={one.name} draws on pictures, and there are none: give them')
    module = importlib.import_module(f'capf_jax.inference.formats.{one.module}')
    with files.whole(path) as temporary:
        module.write(temporary, tracks, pictures, **one.options)
