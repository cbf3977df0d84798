"""Reads the pictures of own data; each file is opened once, each video read front to back."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from data_pipeline import images, videos
from data_pipeline.datasets.own_data.annotations import Entry
from data_pipeline.images import UnreadableError


def in_file_order(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by the name of their file, then by frame."""
    return sorted(entries, key=lambda entry: (entry.medium, entry.frame, entry.number))


def read(
    source: pathlib.Path, entries: Iterable[Entry]
) -> Iterator[tuple[Entry, np.ndarray | UnreadableError]]:
    """Pixels of the picture of every entry.

    Args:
      source: folder that the entries' paths are relative to.
      entries: in any order.

    Yields:
      (entry, image [H, W, 3] uint8 BGR as OpenCV has it), in the order of `in_file_order`; an
      error takes the place of an image that does not decode.
    """
    for medium, some in itertools.groupby(in_file_order(entries), key=lambda entry: entry.medium):
        members = list(some)
        if members[0].is_video:
            frames = list(dict.fromkeys(entry.frame for entry in members))
            pictures = videos.read(source / medium, frames)
            by_frame = itertools.groupby(members, key=lambda entry: entry.frame)
            for picture, (_, people) in zip(pictures, by_frame, strict=True):
                for entry in people:
                    yield entry, picture
            continue
        try:
            picture = images.read(source / medium)
        except UnreadableError as error:
            picture = error
        for entry in members:
            yield entry, picture
