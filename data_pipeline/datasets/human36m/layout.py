"""How a folder of Human3.6M should look, and what a folder lacks, for `data_pipeline.check`."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from capf_jax.errors import UserError
from data_pipeline.building.problems import InputError, ranges
from data_pipeline.datasets.human36m import (
    frame_folders,
    label_pickles,
    raw_files,
    sources,
    videopose,
)
from data_pipeline.datasets.human36m.settings import SPLITS, SUBJECTS, Settings

LAYOUT = f"""a folder of Human3.6M has the pictures of the H36M-Toolbox
    SOURCE/{frame_folders.LAYOUT}
                                          s_01 05 06 07 08 09 11, act_02 to 16, subact_01 02, ca_01
                                          to 04 (54138969 55011271 58860488 60457274), from 000001
and labels of one kind
    cdf     SOURCE/S1/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf   mm, camera frame
            SOURCE/S1/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf        the same names
            SOURCE/{videopose.DETECTIONS}
            SOURCE/metadata.xml           optional: which recording is subact_01 and which 02
    pickle  SOURCE/{label_pickles.FILES['train']}, {label_pickles.FILES['test']}
    npz     SOURCE/{videopose.POSITIONS}
            SOURCE/{videopose.DETECTIONS}
where labels may also lie in a folder of SOURCE. S11's act_02_subact_02 is not needed: one of its
videos is damaged, and no published result uses it. --missing=skip leaves out frames without
pictures, --subjects=S9+S11 (--actions, --cameras) takes a part alone"""


def layout(source: str | os.PathLike[str], **fields: Any) -> list[str]:
    """All that is missing or wrong in a folder; empty if it can be built.

    This takes minutes, since every label is read and every picture is looked for.

    Args:
      source: the folder.
      **fields: of Settings, for a part of the dataset.
    """
    settings = Settings(source=os.fspath(source), **fields)
    folder = pathlib.Path(source)
    if not folder.is_dir():
        return [f'there is no folder {folder}']
    problems = list(_missing_labels(folder, settings))
    if problems:  # without labels it is not known which pictures they need
        problems += _missing_videos(folder, settings)
    else:
        try:
            sources.read(settings)
        except InputError as error:
            problems += error.problems
        except UserError as error:  # a label file that cannot be read at all
            problems.append(str(error))
    return [*problems, *_empty_pictures(folder, settings)]


def _missing_labels(source: pathlib.Path, settings: Settings) -> Iterator[str]:
    """Sentences on missing label files, of the kind that is asked for or that is present."""
    kinds = sources.present(source)
    kind = settings.annotations if settings.annotations != 'auto' else (*kinds, '')[0]
    if not kind:
        yield f'{source} has no labels, none of the three kinds'
        return
    subjects = settings.subjects or SUBJECTS
    if kind == 'cdf':
        files = raw_files.find(source)
        for which, folder in (('3d', 'D3_Positions_mono'), ('2d', 'D2_Positions')):
            there = {name.subject for name in files[which]}
            for subject in (subject for subject in subjects if subject not in there):
                yield f'there are no files {subject}/MyPoseFeatures/{folder}/*.cdf'
        names = (videopose.DETECTIONS,)
    elif kind == 'npz':
        names = (videopose.POSITIONS, videopose.DETECTIONS)
    else:
        names = tuple(
            name
            for split, name in label_pickles.FILES.items()
            if set(subjects) & set(SPLITS[split])
        )
    for name in names:
        if sources.find_file(source, name) is None:
            yield f'there is no {name}'


def _missing_videos(source: pathlib.Path, settings: Settings) -> Iterator[str]:
    folders = frame_folders.folders(source)
    asked = list(sources.videos_of(settings))
    without = [key for key in asked if key.video not in folders]
    yield from sources.gathered(without, asked, 'pictures')


def _empty_pictures(source: pathlib.Path, settings: Settings) -> Iterator[str]:
    """Sentences on empty picture files, which an interrupted copy leaves behind."""
    folders = frame_folders.folders(source)
    keys = [key for key in sources.videos_of(settings) if key.video in folders]
    for key in tqdm(keys, 'looking at pictures', unit=' videos', disable=None):
        folder = folders[key.video]
        video = frame_folders.read(folder)
        numbers = (video.frames + 1).tolist()
        empty = [n for n in numbers if not os.path.getsize(video.pattern.format(n))]
        if empty:
            yield f'{folder} has empty pictures, {ranges(empty)}; copy them again'
