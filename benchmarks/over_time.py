"""What smoothing and still feet do to a real video with known joints: Pose2Sim's Balancing trial.

    python -m benchmarks.over_time ../shared/real
    python -m benchmarks.over_time ../shared/real --camera=cam01 --tracks=/tmp/tracks

FOLDER holds the set pose2sim-balancing (`benchmarks/real_samples.py`): 100 frames of one person, 60
a second, by 4 cameras. The first table has, over all cameras: the error of the joints relative to
the pelvis (MPJPE, mm) and of their velocities (MPJVE, mm/s); how far joints are off and how fast in
the camera frame; and by how many milliseconds the joints come late: the shift in time with which
their velocities agree best with the true ones.

The second table is about the foot that really stands, as the true joints say (under 150 mm/s for a
quarter of a second): its mean speed and its drift (way from first to last place over the duration),
before and after; the third one about the floor: by how many degrees its upright direction is off.
--tracks keeps the people of each frame in a folder, and takes them from there the next time.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tabulate

from benchmarks import clip_scores, real_samples
from capf_jax.backends import programs
from capf_jax.inference import predictor, tracks_files
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import floor, standing_feet, video_prediction, video_tracks
from capf_jax.inference.video.smoothing import Smoothing, stretches
from capf_jax.inference.video.video_prediction import VideoRun
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.runtime import commands
from capf_jax.runtime.commands import Parser
from capf_jax.runtime.compilation_cache import use_compilation_cache, use_stored_programs

SET = 'pose2sim-balancing'
STANDING = 0.15  # metres per second of a foot that really stands, at most
LEAST = 0.25  # seconds that it stands, at least
RAW = Finish(Smoothing('none'), bones=False, feet=False, gaps=0.0)
WAYS = {
    'as predicted': RAW,
    'constant bones alone': dataclasses.replace(RAW, bones=True),
    'one_euro': Finish(Smoothing('one_euro'), feet=False),
    'savgol': Finish(Smoothing('savgol'), feet=False),
    'butterworth': Finish(Smoothing('butterworth'), feet=False),
    'butterworth, 6 Hz': Finish(Smoothing('butterworth', 6.0), feet=False),
    'butterworth and still feet': Finish(Smoothing('butterworth'), feet=True),
}
HEADER = ('', 'MPJPE', 'MPJVE', 'off in space', 'velocity in space', 'delay ms')


def raw_tracks(folder: pathlib.Path, camera: str) -> tuple[Tracks, np.ndarray]:
    """The surest person of one camera's video, and the true joints [T, 17, 3], camera frame, m."""
    samples = [one for one in real_samples.read(folder, SET) if one.picture.stem == camera]
    models = Models.of(Estimator.load(predictor.LIFTER, largest_batch=1))
    people = Predictor(models, CameraChoice.of(samples[0].camera), predictor.default_finder)
    tracks = video_prediction.predict_file(
        samples[0].picture, VideoRun(people, finish=RAW), shows_progress=True
    ).tracks
    longest = int(np.argmax(tracks.valid.sum(axis=1)))
    return tracks.select([longest]), true_joints(folder, camera)


def true_joints(folder: pathlib.Path, camera: str) -> np.ndarray:
    """[T, 17, 3], camera frame, metres."""
    samples = [one for one in real_samples.read(folder, SET) if one.picture.stem == camera]
    return np.stack([one.joints3d for one in samples]) / 1000


def errors(tracks: Tracks, truth: np.ndarray) -> list[float]:
    """MPJPE, MPJVE, both in space (mm, mm/s), and the delay, ms, of one person."""
    joints, times = tracks.joints3d_camera[0], tracks.times
    both = tracks.valid[0]
    pose, true_pose = joints - joints[:, :1], truth - truth[:, :1]
    pairs = both[1:] & both[:-1]
    steps = np.diff(times)[:, None, None]

    def mean(difference: np.ndarray) -> float:
        return 1000 * float(np.linalg.norm(difference, axis=-1).mean())

    def velocity(values: np.ndarray) -> np.ndarray:
        return np.diff(values, axis=0) / steps

    def late(shift: int) -> float:
        moved, true = velocity(pose)[shift:], velocity(true_pose)[: len(truth) - 1 - shift]
        return mean((moved - true)[pairs[shift:]])

    delay = min(range(12), key=late) / tracks.fps
    return [
        mean((pose - true_pose)[both]),
        mean((velocity(pose) - velocity(true_pose))[pairs]),
        mean((joints - truth)[both]),
        mean((velocity(joints) - velocity(truth))[pairs]),
        1000 * delay,
    ]


def feet(tracks: Tracks, truth: np.ndarray) -> list[tuple[float, float, float]]:
    """Speed and drift, mm/s, and duration, s, of each time that a foot really stands."""
    out = []
    for ankle in standing_feet.ankles(tracks.skeleton):
        speed = np.linalg.norm(np.gradient(truth[:, ankle], tracks.times, axis=0), axis=-1)
        for rest in stretches((speed < STANDING) & tracks.valid[0]):
            times, places = tracks.times[rest], tracks.joints3d_camera[0, rest, ankle]
            if times[-1] - times[0] < LEAST:
                continue
            out.append(clip_scores.rest_motion(places, times))
    return out


def main(argv: Sequence[str]) -> int:
    """Prints the tables; returns the exit code."""
    parser = Parser('benchmarks.over_time', __doc__)
    parser.add_argument('folder', type=pathlib.Path, help='with the sets of real samples')
    parser.add_argument('--camera', action='append', help='such as cam01; all by default')
    parser.add_argument('--tracks', type=pathlib.Path, help='folder that keeps what is predicted')
    values = parser.parse(argv)
    programs.start_process()
    use_compilation_cache()
    use_stored_programs()
    names = values.camera or [f'cam{number:02d}' for number in range(1, 5)]
    pairs = [_pair(values.folder, name, values.tracks) for name in names]
    rows, standing = [], []
    for way, finish in WAYS.items():
        done = [(video_tracks.finished(tracks, finish), truth) for tracks, truth in pairs]
        rows.append([way, *np.mean([errors(*pair) for pair in done], axis=0)])
        motions = [motion for pair in done for motion in feet(*pair)]
        standing.append([way, *clip_scores.mean_motion(motions)])
    true_motions = [
        motion
        for tracks, truth in pairs
        for motion in feet(dataclasses.replace(tracks, joints3d=truth[None]), truth)
    ]
    standing.append(['the true joints', *clip_scores.mean_motion(true_motions)])
    print(f'\n{SET}, {", ".join(names)}')
    print(tabulate.tabulate(rows, HEADER, floatfmt='.0f'))
    print()
    print(tabulate.tabulate(standing, ('standing foot', 'mm/s', 'drift mm/s', 's'), floatfmt='.1f'))
    print()
    print(tabulate.tabulate(_floors(values.folder, names, pairs), ('floor', 'degrees off', 'up by '
          'a level camera', 'camera above, m'), floatfmt='.1f'))  # fmt: skip
    return 0


def _floors(
    folder: pathlib.Path, names: Sequence[str], pairs: Sequence[tuple[Tracks, np.ndarray]]
) -> list[list]:
    """How far the upright direction of each camera is off, and that of a level camera."""
    with np.load(folder / SET / 'sample.npz') as arrays:
        turns = {f'cam{n + 1:02d}': turn[:, 2] for n, turn in enumerate(arrays['R_world_to_cam'])}
    rows = []
    for name, (tracks, _) in zip(names, pairs, strict=True):
        smooth = video_tracks.smooth(tracks, Smoothing())
        plane = floor.find(smooth, standing_feet.standing(smooth, tracks))
        assert plane is not None
        level = np.array([0.0, -1.0, 0.0])
        off = [np.degrees(np.arccos(np.clip(up @ turns[name], -1, 1))) for up in (plane.up, level)]
        rows.append([name, *off, plane.height])
    return rows


def _pair(
    folder: pathlib.Path, camera: str, kept: pathlib.Path | None
) -> tuple[Tracks, np.ndarray]:
    path = None if kept is None else kept / f'{camera}.npz'
    if path is not None and path.is_file():
        return tracks_files.read(path), true_joints(folder, camera)
    pair = raw_tracks(folder, camera)
    if path is not None:
        tracks_files.write(path, pair[0])
    return pair


if __name__ == '__main__':
    commands.run(main)
