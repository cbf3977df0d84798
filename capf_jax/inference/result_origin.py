"""What a result remembers: which picture or video it was made of, whole or not, and how.

It is kept in the archive of the tracks, or in the JSON file of a picture, so that the same command
sees whether this result is still the one of the file that is there now. Results of older programs
are without.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from capf_jax.inference import tracks_files
from capf_jax.runtime import array_files, files

_ENDS = 1 << 20  # bytes at either end of a video that are looked at
_PIECE, _PIECES = 1 << 16, 16  # bytes and number of the pieces between them
_NONE = np.empty(0)
MADE_OF = 'made_of'  # in the JSON file of a picture
_FIELDS = ('format', 'video_fingerprint', 'video_failure', 'options')


@dataclasses.dataclass(frozen=True)
class Origin:
    """How a result was made.

    Attributes:
      source: the `fingerprint` of the picture or video.
      failure: what was wrong with the video, behind its name; '' where nothing was.
      options: by name, values as JSON has them.
    """

    source: str
    failure: str
    options: Mapping[str, Any]

    def other_options(self, options: Mapping[str, Any]) -> set[str]:
        """The names of those that now have another value than when the result was made."""
        now = json.loads(json.dumps(options))
        return {name for name in now.keys() & self.options if now[name] != self.options[name]}

    def fields(self) -> dict[str, Any]:
        """What `tracks_files.write` puts beside the tracks."""
        return {
            'video_fingerprint': self.source,
            'video_failure': self.failure,
            'options': json.dumps(self.options),
        }

    def document(self) -> dict[str, Any]:
        """What `people_files.write` puts beside the people of a picture."""
        return {MADE_OF: {'picture': self.source, 'options': dict(self.options)}}


def options_of(
    values: argparse.Namespace, names: Iterable[str], files_of: Iterable[str]
) -> dict[str, Any]:
    """The arguments of these names; of those that name files the names without folders."""
    options = {name: getattr(values, name) for name in names}
    for name in files_of:
        value = getattr(values, name)
        if isinstance(value, list):
            options[name] = [pathlib.PurePath(path).name for path in value]
        else:
            options[name] = None if value is None else pathlib.PurePath(value).name
    return options


def words_of_others(names: Iterable[str]) -> str:
    """A sentence for the user: finished results were made with other values of these arguments."""
    arguments = ', '.join(f'--{name}' for name in sorted(names))
    return f'finished results were made with another {arguments}, and stay so without --overwrite'


def fingerprint(path: pathlib.Path) -> str:
    """What differs for different files, and stays when a file is copied or renamed.

    It is the size and a digest of the first and last megabyte and of pieces between them, since a
    download may have its whole size before it has all its bytes.

    Raises:
      OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with files.named(path), path.open('rb') as file:
        size = file.seek(0, 2)
        inner = max(size - 2 * _ENDS, 0)
        pieces = [(_ENDS + number * inner // _PIECES, _PIECE) for number in range(_PIECES)]
        for start, length in [(0, _ENDS), *pieces, (max(size - _ENDS, 0), _ENDS)]:
            file.seek(start)
            digest.update(file.read(length))
    return f'{size} bytes, SHA-256 of pieces {digest.hexdigest()}'


def read(path: pathlib.Path) -> Origin | None:
    """The origin of the tracks in an archive; None where the archive tells none.

    Raises:
      OSError: it cannot be opened.
      ValueError: it is damaged.
    """
    arrays = array_files.read(path, _FIELDS)
    fields = {name: arrays[name].item() for name in _FIELDS if arrays.get(name, _NONE).ndim == 0}
    if fields.get('format') != tracks_files.FORMAT or not {*_FIELDS} <= fields.keys():
        return None
    options = files.parse_json(str(fields['options']))
    if not isinstance(options, dict):
        raise ValueError('its options are none')
    return Origin(str(fields['video_fingerprint']), str(fields['video_failure']), options)


def of_picture(path: pathlib.Path) -> Origin | None:
    """The origin of the people in a JSON file; None where the file tells none.

    Raises:
      OSError: it cannot be opened.
      ValueError: it is damaged.
    """
    document = files.parse_json(path.read_bytes())
    made_of = document.get(MADE_OF) if isinstance(document, dict) else None
    if not isinstance(made_of, dict) or not isinstance(made_of.get('options'), dict):
        return None
    return Origin(str(made_of.get('picture')), '', made_of['options'])
