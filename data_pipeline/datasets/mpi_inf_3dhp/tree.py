"""The downloaded files of MPI-INF-3DHP: what is there, what is missing, and the clips."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from capf_jax.errors import UserError
from capf_jax.pose.cameras import Camera
from data_pipeline.datasets.mpi_inf_3dhp import annotations, calibration, footage, judge, published
from data_pipeline.datasets.mpi_inf_3dhp.clips import VideoClip
from data_pipeline.datasets.mpi_inf_3dhp.settings import Settings
from data_pipeline.published_cameras import mpi_inf_3dhp

LAYOUT = """a folder of MPI-INF-3DHP looks like
    SOURCE/S1/Seq1/annot.mat                         labels, MATLAB 5; S1 to S8, Seq1 and Seq2
    SOURCE/S1/Seq1/camera.calibration                optional, else the published figures
    SOURCE/S1/Seq1/imageSequence/video_0.avi         videos of cameras 0 1 2 4 5 6 7 8, or frames:
    SOURCE/S1/Seq1/imageFrames/video_0/frame_000001.jpg
    SOURCE/mpi_inf_3dhp_test_set/TS1/annot_data.mat  labels, MATLAB 7.3; TS1 to TS6
    SOURCE/mpi_inf_3dhp_test_set/TS1/imageSequence/img_000001.jpg
where video_0/ may also lie in imageSequence/, and TS1/ in SOURCE itself"""

_DEPTH = 2  # at most so many folders lie between SOURCE and S1/ or TS1/
_UNREADABLE_LISTED = 3
_REMEDY = '--missing=skip builds without what lacks pictures'


@dataclasses.dataclass
class Survey:
    """What `survey` returns."""

    clips: dict[str, list[VideoClip]]  # by split; only those without a problem
    problems: list[str]  # each says what is wrong, where, and what to do
    recognised: list[str]  # sentences for the user on what is there


def survey(source: pathlib.Path, settings: Settings, *, open_images: bool = False) -> Survey:
    """Reads all labels that a build needs and looks for every picture.

    Args:
      source: the folder with the downloaded files.
      settings: what is to be built.
      open_images: also open every extracted frame as far as its header.
    """
    result = Survey({}, [], [])
    if not source.is_dir():
        result.problems.append(f'there is no folder {source}; {LAYOUT}')
        return result
    parts = {
        'train': (settings.train_recordings, published.TRAIN_SUBJECTS, 'S1 to S8'),
        'test': (settings.test_subjects, published.TEST_SUBJECTS, 'TS1 to TS6'),
    }
    asked = {split: part for split, part in parts.items() if part[0]}
    roots = {split: _holder(source, names) for split, (_, names, _) in asked.items()}
    if not any(roots.values()):
        words = ' nor '.join(word for *_, word in asked.values())
        result.problems.append(f'{source} does not hold {words}; {LAYOUT}')
        return result
    total = sum(len(chosen) for chosen, *_ in asked.values())
    with tqdm(total=total, desc='reading labels', unit=' sequences') as progress:
        for split, (chosen, _, word) in asked.items():
            root = roots[split]
            if root is None:
                result.problems.append(
                    f'{source} holds none of {word}, the {split} split; add it, or choose the '
                    'others with config.data.builder.subjects'
                )
                continue
            clips = result.clips[split] = []
            for one in chosen:
                if split == 'train':
                    subject, sequence = one
                    clips += _train_sequence(root, subject, sequence, settings, result, open_images)
                else:
                    clips += _test_sequence(root, one, settings, result, open_images)
                progress.update()
            result.recognised.append(_recognised(split, root, clips))
    return result


def _recognised(split: str, root: pathlib.Path, clips: list[VideoClip]) -> str:
    """A sentence on what is there of a split."""
    people = f'{sum(clip.size for clip in clips):,} people'
    if split == 'test':
        return f'test split in {root}: {len(clips)} sequences, {people} in valid frames'
    kinds = sorted({clip.footage.what for clip in clips})
    own = sum((_folder(root, clip) / calibration.FILE).is_file() for clip in clips)
    return (
        f'training split in {root}: {len(clips)} camera views, {people}, '
        f'from {" and ".join(kinds) or "nothing"}; intrinsics of {own} views from '
        f'{calibration.FILE}, of {len(clips) - own} from the published table'
    )


def _folder(root: pathlib.Path, clip: VideoClip) -> pathlib.Path:
    """Folder of a training clip's sequence."""
    return root.joinpath(*clip.sequence.split('_'))


def _holder(source: pathlib.Path, names: Iterable[str]) -> pathlib.Path | None:
    """The folder, `source` or a little below it, that has a folder of one of these names."""
    level = [source]
    for _ in range(_DEPTH + 1):
        for folder in level:
            if any((folder / name).is_dir() for name in names):
                return folder
        level = sorted(below for folder in level for below in _folders(folder))
    return None


def _folders(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    try:
        yield from (path for path in folder.iterdir() if path.is_dir())
    except PermissionError:
        return


def _train_sequence(
    root: pathlib.Path,
    subject: str,
    sequence: str,
    settings: Settings,
    result: Survey,
    open_images: bool,
) -> list[VideoClip]:
    """Clips of a sequence's cameras; problems are added to `result`."""
    folder = root / subject / sequence
    if not folder.is_dir():
        result.problems.append(f'the folder {folder} is missing')
        return []
    try:
        poses = annotations.read_train(
            folder / annotations.TRAIN_FILE, settings.used_cameras, settings.targets
        )
    except (FileNotFoundError, UserError) as error:
        result.problems.append(str(error))
        poses = {}
    try:
        cameras = calibration.train(folder, settings.used_cameras)
    except UserError as error:
        result.problems.append(str(error))
        return []
    views = {name: footage.find(folder, name) for name in settings.used_cameras}
    missing = [f'video_{name}.avi' for name, pictures in views.items() if pictures is None]
    if missing:
        sentence = (
            f'{folder / "imageSequence"} lacks {", ".join(missing)}, and there are no folders of '
            'frames taken out of them'
        )
        if settings.missing == 'skip':
            result.recognised.append(f'left out: {sentence}')
        else:
            result.problems.append(f'{sentence}; {_REMEDY}')
    clips = []
    for name, pictures in views.items():
        if pictures is None or name not in poses:
            continue
        count = min(len(poses[name]), published.FRAME_LIMITS[subject, sequence])
        clip = _clip(
            poses[name],
            np.arange(0, count, settings.frame_stride),
            cameras[name],
            settings,
            subject=subject,
            sequence=f'{subject}_{sequence}',
            camera=name,
            footage=pictures,
        )
        clips += _accept(clip, poses[name], folder / annotations.TRAIN_FILE, result, open_images)
    return clips


def _test_sequence(
    root: pathlib.Path, name: str, settings: Settings, result: Survey, open_images: bool
) -> list[VideoClip]:
    """The clip of a test sequence, in a list; problems are added to `result`."""
    folder = root / name
    pictures = folder / 'imageSequence'
    missing = [path for path in (folder, pictures) if not path.is_dir()]
    if missing:
        result.problems.append(f'the folder {missing[0]} is missing')
    if folder in missing:
        return []
    path = folder / annotations.TEST_FILE
    try:
        poses = annotations.read_test(path, settings.targets)
    except (FileNotFoundError, UserError) as error:
        result.problems.append(str(error))
        return []
    frames = np.flatnonzero(poses.valid)
    if missing:
        return []
    if not len(frames):
        result.problems.append(f'{path} marks no frame as valid; download it again')
        return []
    clip = _clip(
        poses,
        frames,
        mpi_inf_3dhp(name),
        settings,
        subject=name,
        sequence=name,
        camera='0',
        footage=footage.Frames(pictures),
    )
    return _accept(clip, poses, path, result, open_images)


def _clip(
    poses: annotations.Poses,
    frames: np.ndarray,
    recorded_by: Camera,
    settings: Settings,
    **labels: Any,
) -> VideoClip:
    assert recorded_by.image_size is not None  # Published cameras have one.
    return VideoClip(
        image_size=recorded_by.image_size,
        intrinsics=recorded_by.intrinsics,
        frames=frames.astype(np.int32),
        actions=tuple(map(str, poses.actions[frames])),
        joints2d=poses.joints2d[frames].astype(np.float32),
        joints3d=poses.joints3d[frames].astype(np.float32),
        root=poses.root[frames].astype(np.float32),
        settings=settings,
        # The header of a video may count frames that it does not hold.
        may_lack=settings.missing == 'skip' and isinstance(labels['footage'], footage.Video),
        **labels,
    )


def _accept(
    clip: VideoClip,
    poses: annotations.Poses,
    path: pathlib.Path,
    result: Survey,
    open_images: bool,
) -> list[VideoClip]:
    """The clip in a list, or nothing where it cannot be built.

    What is wrong with it is added to `result`. Where the settings say so, frames without a picture
    are left out.
    """
    frames = [int(frame) for frame in clip.frames]
    problems = judge.labels(poses, clip.frames, clip.intrinsics, f'{path}, camera {clip.camera}')
    try:
        missing = clip.footage.missing(frames)
        if missing and clip.settings.missing == 'skip':
            result.recognised.append(f'left out: {missing.partition("; ")[0]}')
            frames = clip.footage.present(frames)
            clip = clip.only(np.isin(clip.frames, frames))
        elif missing:
            problems.append(f'{missing}, or {_REMEDY}')
        if frames and not problems:
            problems += _wrong_size(clip)
        if open_images and isinstance(clip.footage, footage.Frames):
            problems += _unreadable(clip.footage, frames)
    except UserError as error:
        problems.append(f'{error}; copy or download it again')
    result.problems += problems
    return [] if problems or not frames else [clip]


def _wrong_size(clip: VideoClip) -> list[str]:
    size = clip.footage.size()
    if size == clip.image_size:
        return []
    actual, expected = ('x'.join(map(str, pair)) for pair in (size, clip.image_size))
    return [
        f'the pictures of {clip.name} have {actual} pixels where the camera has {expected}; '
        'take the original ones, labels do not fit another size'
    ]


def _unreadable(pictures: footage.Frames, frames: list[int]) -> list[str]:
    paths = pictures.unreadable(frames)
    if not paths:
        return []
    names = ', '.join(path.name for path in paths[:_UNREADABLE_LISTED])
    return [
        f'{pictures.folder} has {len(paths)} files that are no images, such as {names}; copy them '
        'again'
    ]
