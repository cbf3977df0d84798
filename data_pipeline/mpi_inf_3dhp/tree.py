"""The downloaded tree of MPI-INF-3DHP: what is in it, what is missing, and clips to build from."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
from tqdm import tqdm

from data_pipeline.mpi_inf_3dhp import annotations, calibration, figures, judge, media
from data_pipeline.mpi_inf_3dhp.clips import VideoClip
from data_pipeline.mpi_inf_3dhp.configuration import Settings
from data_pipeline.published_cameras import Camera, mpi_inf_3dhp

LAYOUT = """a folder of MPI-INF-3DHP looks like
    SOURCE/S1/Seq1/annot.mat                         labels, MATLAB 5; S1 to S8, Seq1 and Seq2
    SOURCE/S1/Seq1/camera.calibration                optional, else the published figures
    SOURCE/S1/Seq1/imageSequence/video_0.avi         videos of cameras 0 1 2 4 5 6 7 8, or frames:
    SOURCE/S1/Seq1/imageFrames/video_0/frame_000001.jpg
    SOURCE/mpi_inf_3dhp_test_set/TS1/annot_data.mat  labels, MATLAB 7.3; TS1 to TS6
    SOURCE/mpi_inf_3dhp_test_set/TS1/imageSequence/img_000001.jpg
where video_0/ may also lie in imageSequence/, and TS1/ in SOURCE itself"""

_DEPTH = 2  # folders between SOURCE and S1/ or TS1/ at most
_UNREADABLE_LISTED = 3


@dataclasses.dataclass
class Survey:
    """What `survey` found."""

    clips: dict[str, list[VideoClip]]  # by split; only those without a problem
    problems: list[str]  # each says what is wrong, where, and what to do
    recognised: list[str]  # what there is, for the user to read


def survey(source: pathlib.Path, settings: Settings, *, open_images: bool = False) -> Survey:
    """Reads all labels that a build needs and looks for every picture.

    Args:
      source: the folder with the downloaded files.
      settings: what is to be built.
      open_images: also open every extracted frame as far as its header.
    """
    found = Survey({}, [], [])
    if not source.is_dir():
        found.problems.append(f'there is no folder {source}; {LAYOUT}')
        return found
    parts = {
        'train': (settings.train_recordings, figures.TRAIN_SUBJECTS, 'S1 to S8'),
        'test': (settings.test_subjects, figures.TEST_SUBJECTS, 'TS1 to TS6'),
    }
    wanted = {split: part for split, part in parts.items() if part[0]}
    roots = {split: _holder(source, names) for split, (_, names, _) in wanted.items()}
    if not any(roots.values()):
        words = ' nor '.join(word for *_, word in wanted.values())
        found.problems.append(f'{source} does not hold {words}; {LAYOUT}')
        return found
    total = sum(len(chosen) for chosen, *_ in wanted.values())
    with tqdm(total=total, desc='reading labels', unit=' sequences') as progress:
        for split, (chosen, _, word) in wanted.items():
            root = roots[split]
            if root is None:
                found.problems.append(
                    f'{source} holds none of {word}, the {split} split; add it, or choose the '
                    'others with config.data.builder.subjects'
                )
                continue
            clips = found.clips[split] = []
            for one in chosen:
                if split == 'train':
                    clips += _train_sequence(root, *one, settings, found, open_images)
                else:
                    clips += _test_sequence(root, one, settings, found, open_images)
                progress.update()
            found.recognised.append(_recognised(split, root, clips))
    return found


def _recognised(split: str, root: pathlib.Path, clips: list[VideoClip]) -> str:
    """What there is of a split, in a sentence."""
    people = f'{sum(clip.size for clip in clips):,} people'
    if split == 'test':
        return f'test split in {root}: {len(clips)} sequences, {people} in valid frames'
    kinds = sorted({clip.media.what for clip in clips})
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
    found: Survey,
    open_images: bool,
) -> list[VideoClip]:
    """Clips of a sequence's cameras; problems are added to `found`."""
    folder = root / subject / sequence
    if not folder.is_dir():
        found.problems.append(f'the folder {folder} is missing')
        return []
    try:
        poses = annotations.read_train(
            folder / annotations.TRAIN_FILE, settings.used_cameras, settings.targets
        )
    except (FileNotFoundError, ValueError) as error:
        found.problems.append(str(error))
        poses = {}
    try:
        cameras = calibration.train(folder, settings.used_cameras)
    except ValueError as error:
        found.problems.append(str(error))
        return []
    views = {name: media.find(folder, name) for name in settings.used_cameras}
    missing = [f'video_{name}.avi' for name, pictures in views.items() if pictures is None]
    if missing:
        found.problems.append(
            f'{folder / "imageSequence"} lacks {", ".join(missing)}, and there are no folders of '
            'frames taken out of them'
        )
    clips = []
    for name, pictures in views.items():
        if pictures is None or name not in poses:
            continue
        count = min(len(poses[name]), figures.FRAME_LIMITS[subject, sequence])
        clip = _clip(
            poses[name],
            np.arange(0, count, settings.frame_stride),
            cameras[name],
            settings,
            subject=subject,
            sequence=f'{subject}_{sequence}',
            camera=name,
            media=pictures,
        )
        if _accept(clip, poses[name], folder / annotations.TRAIN_FILE, found, open_images):
            clips.append(clip)
    return clips


def _test_sequence(
    root: pathlib.Path, name: str, settings: Settings, found: Survey, open_images: bool
) -> list[VideoClip]:
    """The clip of a test sequence, in a list; problems are added to `found`."""
    folder = root / name
    pictures = folder / 'imageSequence'
    missing = [path for path in (folder, pictures) if not path.is_dir()]
    if missing:
        found.problems.append(f'the folder {missing[0]} is missing')
    if folder in missing:
        return []
    path = folder / annotations.TEST_FILE
    try:
        poses = annotations.read_test(path, settings.targets)
    except (FileNotFoundError, ValueError) as error:
        found.problems.append(str(error))
        return []
    frames = np.flatnonzero(poses.valid)
    if missing:
        return []
    if not len(frames):
        found.problems.append(f'{path} marks no frame as valid; download it again')
        return []
    clip = _clip(
        poses,
        frames,
        mpi_inf_3dhp(name),
        settings,
        subject=name,
        sequence=name,
        camera='0',
        media=media.Frames(pictures),
    )
    return [clip] if _accept(clip, poses, path, found, open_images) else []


def _clip(
    poses: annotations.Poses,
    frames: np.ndarray,
    seen_by: Camera,
    settings: Settings,
    **labels,
) -> VideoClip:
    return VideoClip(
        image_size=seen_by.image_size,
        intrinsics=seen_by.intrinsics,
        frames=frames.astype(np.int32),
        actions=tuple(map(str, poses.actions[frames])),
        joints2d=poses.joints2d[frames].astype(np.float32),
        joints3d=poses.joints3d[frames].astype(np.float32),
        root=poses.root[frames].astype(np.float32),
        settings=settings,
        **labels,
    )


def _accept(
    clip: VideoClip,
    poses: annotations.Poses,
    path: pathlib.Path,
    found: Survey,
    open_images: bool,
) -> bool:
    """Whether the clip can be built; what is wrong with it is added to `found`."""
    frames = [int(frame) for frame in clip.frames]
    problems = judge.labels(poses, clip.frames, clip.intrinsics, f'{path}, camera {clip.camera}')
    try:
        missing = clip.media.missing(frames)
        if missing:
            problems.append(missing)
        else:
            problems += _wrong_size(clip)
        if open_images and isinstance(clip.media, media.Frames):
            problems += _unreadable(clip.media, frames)
    except ValueError as error:
        problems.append(f'{error}; copy or download it again')
    found.problems += problems
    return not problems


def _wrong_size(clip: VideoClip) -> list[str]:
    size = clip.media.size()
    if size == clip.image_size:
        return []
    found, wanted = ('x'.join(map(str, pair)) for pair in (size, clip.image_size))
    return [
        f'the pictures of {clip.name} have {found} pixels where the camera has {wanted}; take the '
        'original ones, labels do not fit another size'
    ]


def _unreadable(pictures: media.Frames, frames: list[int]) -> list[str]:
    paths = pictures.unreadable(frames)
    if not paths:
        return []
    names = ', '.join(path.name for path in paths[:_UNREADABLE_LISTED])
    return [
        f'{pictures.folder} has {len(paths)} files that are no images, such as {names}; copy them '
        'again'
    ]
