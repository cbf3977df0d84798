"""People over time on rendered clips, whose truth is known: numbers, joints and standing feet.

    python -m benchmarks.rendered_clips
    python -m benchmarks.rendered_clips --clips=1 --save=/tmp/clips

In each clip four people of the synthetic dataset walk through one room for 8 seconds, cross, leave
and come back (benchmarks/walking_people.py). The whole way is measured: a video file, the command's
finder, detector and lifter with the true intrinsics, numbers, smoothing, floor and feet.

Columns: IDF1 of the numbers, percent (a sighting is that of the nearest true person, if the mean
joint lies within a fifth of the person's height); how often the finder saw people who are at least
40% visible; errors relative to the pelvis (MPJPE, mm), of velocities (MPJVE, mm/s), as predicted
and finished; mean speed of the feet that truly stand, mm/s, before and after; and by how many
degrees the floor is off. --save keeps the videos with their truth, and takes them
from there the next time.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
import tabulate

from benchmarks import walking_people
from benchmarks.over_time import RAW
from benchmarks.walking_people import Clip
from capf_jax.backends import programs
from capf_jax.inference import predictor, tracks_files
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import standing_feet, video_prediction, video_tracks
from capf_jax.inference.video.video_prediction import VideoRun
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.pose import cameras
from capf_jax.runtime import commands
from capf_jax.runtime.commands import Parser
from capf_jax.runtime.compilation_cache import use_compilation_cache, use_stored_programs
from capf_jax.scoring.identities import idf1

NEAR = 0.2  # of a person's height
VISIBLE = 0.4  # share of a person's joints that nobody hides, from which it should be seen
HEADER = (
    'clip', 'IDF1 %', 'people', 'seen %', 'MPJPE', 'finished', 'MPJVE', 'finished', 'feet mm/s',
    'finished', 'floor degrees',
)  # fmt: skip


def match(tracks: Tracks, clip: Clip) -> list[list[tuple[int, int]]]:
    """For each frame pairs of a row of the tracks and the true person that it shows."""
    out = []
    places = cameras.project(clip.joints, clip.camera.intrinsics)
    for t, frame in enumerate(tracks.frames):
        rows = np.flatnonzero(tracks.present[:, t])
        true = places[:, frame]
        height = np.ptp(true[..., 1], axis=1)
        off = np.linalg.norm(tracks.joints2d[rows, t][:, None] - true[None], axis=-1).mean(-1)
        off = off / height
        pairs = []
        while off.size and off.min() < NEAR:
            row, person = np.unravel_index(off.argmin(), off.shape)
            pairs.append((int(rows[row]), int(person)))
            off[row], off[:, person] = np.inf, np.inf
        out.append(pairs)
    return out


def score(raw: Tracks, finished: Tracks, clip: Clip) -> list[float]:
    """The numbers of a clip, as the columns of the table say."""
    pairs = match(finished, clip)
    sightings: list[tuple[int | None, int | None]] = []
    seen = due = 0
    for t, frame in enumerate(finished.frames):
        people = {person: row for row, person in pairs[t]}
        shown = {p for p in range(len(clip.joints)) if clip.visible[p, frame] >= VISIBLE}
        due, seen = due + len(shown), seen + len(shown & people.keys())
        sightings += [(p, people.get(p)) for p in shown | people.keys()]
        strangers = set(np.flatnonzero(finished.present[:, t]).tolist()) - set(people.values())
        sightings += [(None, row) for row in strangers]
    errors = [_errors(one, pairs, clip) for one in (raw, finished)]
    floor_off = np.nan
    if finished.camera.rotation is not None:
        up = finished.camera.rotation[:, 2]
        floor_off = np.degrees(np.arccos(np.clip(up @ clip.camera.rotation[:, 2], -1, 1)))
    return [
        100 * idf1(sightings), len(raw), 100 * seen / due,
        errors[0][0], errors[1][0], errors[0][1], errors[1][1], errors[0][2], errors[1][2],
        floor_off,
    ]  # fmt: skip


def _errors(
    tracks: Tracks, pairs: Sequence[Sequence[tuple[int, int]]], clip: Clip
) -> tuple[float, float, float]:
    """MPJPE, mm, MPJVE, mm/s, and the mean speed of feet that truly stand, mm/s."""
    poses, velocities, feet = [], [], []
    joints = tracks.joints3d_camera
    ankles = standing_feet.ankles(tracks.skeleton)
    for t, frame in enumerate(tracks.frames):
        for row, person in pairs[t]:
            if not tracks.valid[row, t]:
                continue
            pose = joints[row, t] - joints[row, t, :1]
            truth = clip.joints[person, frame] - clip.joints[person, frame, :1]
            poses.append(np.linalg.norm(pose - truth, axis=-1).mean())
            if t == 0 or (row, person) not in pairs[t - 1] or not tracks.valid[row, t - 1]:
                continue
            step = tracks.times[t] - tracks.times[t - 1]
            before = joints[row, t - 1] - joints[row, t - 1, :1]
            true_before = clip.joints[person, frame - 1] - clip.joints[person, frame - 1, :1]
            moved = (pose - before) - (truth - true_before)
            velocities.append(np.linalg.norm(moved, axis=-1).mean() / step)
            for side, ankle in enumerate(ankles):
                if clip.stands[person, [frame - 1, frame], side].all():
                    way = np.linalg.norm(joints[row, t, ankle] - joints[row, t - 1, ankle])
                    feet.append(way / step)
    return tuple(1000 * float(np.mean(values)) for values in (poses, velocities, feet))


def main(argv: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = Parser('benchmarks.rendered_clips', __doc__)
    parser.add_argument('--clips', type=int, default=3, help='how many; default 3')
    parser.add_argument('--save', type=pathlib.Path, help='folder for the videos')
    values = parser.parse(argv)
    programs.start_process()
    use_compilation_cache()
    use_stored_programs()
    models = Models.of(Estimator.load(predictor.LIFTER, largest_batch=1))
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = values.save or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(values.clips):
            clip = walking_people.clip_at(folder / f'clip{seed}.mp4', seed)
            people = Predictor(
                models, CameraChoice.of(clip.camera.intrinsics), predictor.default_finder
            )
            raw = video_prediction.predict_file(
                clip.path, VideoRun(people, finish=RAW), shows_progress=True
            ).tracks
            tracks_files.write(clip.path.with_suffix('.tracks.npz'), raw)
            finished = video_tracks.finished(raw, Finish(axes='z_up'))
            rows.append([seed, *score(raw, finished, clip)])
    rows.append(['mean', *np.mean([row[1:] for row in rows], axis=0)])
    print(tabulate.tabulate(rows, HEADER, floatfmt='.1f'))
    return 0


if __name__ == '__main__':
    commands.run(main)
