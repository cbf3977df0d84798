"""People over time on rendered clips, whose truth is known: numbers, joints and standing feet.

    python -m benchmarks.rendered_clips
    python -m benchmarks.rendered_clips --seeds=3 --save=/tmp/clips

In each clip four people of the synthetic dataset walk through one room for 8 seconds, cross, leave
and come back (benchmarks/walking_people.py). The whole way is measured: a video file, the command's
finder, detector and lifter with the true intrinsics, numbers, smoothing, floor and feet.

The first table is about each clip: IDF1 of the numbers, percent, of the finished people, short gaps
filled in, and of those that were seen alone (a sighting is that of the nearest true person, if the
mean joint lies within a fifth of the person's height; a true person who is less than 40% visible
and has none does not count); how often people were seen who are at least 40% visible; and by how
many degrees the floor is off.

The second table has the mean over the clips for each way of finishing: errors relative to the
pelvis (MPJPE, mm) and of their velocities (MPJVE, mm/s); by how many milliseconds the joints come
late: the shift in time with which their velocities agree best with the true ones; of the feet that
truly stand for a quarter of a second the mean speed and the mean drift (way from first to last
place over the duration), mm/s; and of those that were seen in every frame the drift, and in how
many percent of the time it is below 15 mm/s. --save keeps the videos with their truth and what was
predicted, and takes them from there the next time.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
import tabulate

from benchmarks import clip_scores, walking_people
from benchmarks.over_time import RAW, WAYS
from benchmarks.walking_people import Clip
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import predictor, tracks_files
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import video_prediction, video_tracks
from capf_jax.inference.video.video_prediction import VideoRun
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.runtime import commands
from capf_jax.runtime.commands import Parser
from capf_jax.runtime.compilation_cache import use_compilation_cache, use_stored_programs

CLIP_HEADER = ('clip', 'IDF1 %', 'IDF1 %, seen', 'people', 'seen %', 'floor degrees')
WAY_HEADER = (
    '', 'MPJPE', 'MPJVE', 'delay ms', 'feet mm/s', 'drift mm/s', 'drift, seen', 'below 15, seen %'
)  # fmt: skip


def raw_tracks(models: Models, clip: Clip) -> Tracks:
    """The people of a clip as predicted, from its file beside the clip if it is there."""
    path = clip.path.with_suffix('.tracks.npz')
    if not path.is_file():
        people = Predictor(
            models, CameraChoice.of(clip.camera.intrinsics), predictor.default_finder
        )
        run = VideoRun(people, finish=RAW)
        raw = video_prediction.predict_file(clip.path, run, shows_progress=True).tracks
        tracks_files.write(path, raw)
    return tracks_files.read(path)


def table_of_clips(clips: Sequence[tuple[Clip, Tracks]], seeds: Sequence[int]) -> str:
    """The first table, as the command finishes people by default, with a floor."""
    rows: list[list[float]] = []
    for seed, (clip, raw) in zip(seeds, clips, strict=True):
        tracks = video_tracks.finished(raw, Finish(axes='z_up'))
        whole, _ = clip_scores.identities(tracks, clip, clip_scores.match(tracks, clip))
        unfilled, seen = clip_scores.identities(raw, clip, clip_scores.match(raw, clip))
        rows.append([seed, whole, unfilled, len(raw), seen, clip_scores.floor_off(tracks, clip)])
    means = ['mean', *np.mean([row[1:] for row in rows], axis=0)]
    return tabulate.tabulate([*rows, means], CLIP_HEADER, floatfmt='.1f')


def table_of_ways(clips: Sequence[tuple[Clip, Tracks]]) -> str:
    """The second table; its last row is that of the true joints."""
    rows = []
    for way, finish in WAYS.items():
        errors, motions, seen = [], [], []
        for clip, raw in clips:
            tracks = video_tracks.finished(raw, finish)
            pairs = clip_scores.match(tracks, clip)
            errors.append(clip_scores.errors(tracks, clip, pairs))
            motions += clip_scores.feet(tracks, clip, pairs)
            seen += clip_scores.feet(tracks, clip, pairs, in_sight=True)
        speed, drift, _ = clip_scores.mean_motion(motions)
        in_sight = clip_scores.mean_motion(seen)[1], clip_scores.share_at_rest(seen)
        rows.append([way, *np.mean(errors, axis=0), speed, drift, *in_sight])
    motions = [motion for clip, _ in clips for motion in clip_scores.true_feet(clip)]
    speed, drift, _ = clip_scores.mean_motion(motions)
    rows.append(
        ['the true joints', 0, 0, 0, speed, drift, drift, clip_scores.share_at_rest(motions)]
    )
    return tabulate.tabulate(rows, WAY_HEADER, floatfmt='.0f')


def main(argv: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = Parser('benchmarks.rendered_clips', __doc__)
    parser.add_argument(
        '--seeds', default='6,7,8', help='of the clips; default 6,7,8, on which nothing was chosen'
    )
    parser.add_argument('--save', type=pathlib.Path, help='folder for the videos')
    values = parser.parse(argv)
    if not all(seed.isdecimal() for seed in values.seeds.split(',')):
        raise UserError(f'--seeds={values.seeds} are no whole numbers separated by commas')
    seeds = [int(seed) for seed in values.seeds.split(',')]
    programs.start_process()
    use_compilation_cache()
    use_stored_programs()
    models = Models.of(Estimator.load(predictor.LIFTER, largest_batch=1))
    with tempfile.TemporaryDirectory() as scratch:
        folder = values.save or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        clips = [walking_people.clip_at(folder / f'clip{seed}.mp4', seed) for seed in seeds]
        predicted = [(clip, raw_tracks(models, clip)) for clip in clips]
    print(table_of_clips(predicted, seeds))
    print()
    print(table_of_ways(predicted))
    return 0


if __name__ == '__main__':
    commands.run(main)
