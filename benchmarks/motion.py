"""Motion and noise of rendered clips: their speeds beside motion capture, and their 2D errors.

    python -m benchmarks.motion --poses=FILE.npz,FILE.bvh
    python -m benchmarks.motion --poses=FILE.npz --clips=500 --fps=50
    python -m benchmarks.motion --real=../shared/real

    --poses=FILES      .npz or .bvh motion capture, several with commas
    --parts=WORDS      also recordings of the first file alone whose names begin so, several with
                       commas and pluses, such as 07+08,13+14
    --clips=N          clips of a second of each source (default 400)
    --fps=N            frames a second at which motions are compared (default 25)
    --real=FOLDER      with the real samples of benchmarks/real_samples.py, for the second table

Every source is sampled as the synthetic dataset samples it, so that recordings are clips of random
bodies too. Differences of joints from frame to frame make the speeds, and differences of these the
accelerations. The table is in Markdown: the median and the 90th and 99th percentile over all joints
and frames, in m/s and m/s^2. A second table has the correlation of 2D errors over time: of a real
detector where --real names its videos, and of the rendered noise (benchmarks/noise_over_time.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tabulate

from benchmarks import noise_over_time
from capf_jax.runtime import commands
from data_pipeline.datasets.synthetic import motion, motion_capture, poses, recorded_motion

PERCENTILES = (50, 90, 99)
JOINTS = {'all joints': slice(None), 'pelvis': slice(0, 1), 'wrists': [13, 16], 'ankles': [3, 6]}

Source = Callable[[np.random.Generator], np.ndarray]  # gives joints [F, 17, 3] of a clip, metres


def sources(paths: Sequence[str], parts: Sequence[str], fps: float) -> Iterator[tuple[str, Source]]:
    """The name of each source, and what gives its clips of one second.

    Args:
      paths: motion-capture files.
      parts: beginnings of names of recordings of the first file, several with pluses.
      fps: frames a second.
    """
    frames = round(fps) + 1

    def recorded(path: str, part: str = '') -> Source:
        everything = recorded_motion.recordings_of(
            [motion_capture.load(path, recorded_motion.RATE)]
        )
        recordings = [one for one in everything if one.name.startswith(tuple(part.split('+')))]

        def sample(rng: np.random.Generator) -> np.ndarray:
            body = poses.sample_proportions(rng)
            return recorded_motion.sample(rng, recordings, body, frames, fps).joints / 1000

        return sample

    def built_in(activity: str | None) -> Source:
        def sample(rng: np.random.Generator) -> np.ndarray:
            body = poses.sample_proportions(rng)
            return motion.sample_motion(rng, body, frames, fps, activity).joints / 1000

        return sample

    for path in paths:
        yield path.rstrip('/').split('/')[-2 if '/' in path else -1], recorded(path)
    for part in parts:
        yield f'of the first, {part}', recorded(paths[0], part)
    yield 'built-in activities', built_in(None)
    yield 'of these, walking', built_in('walking')
    yield 'of these, gesturing', built_in('gesturing')


def percentiles(clips: np.ndarray, fps: float) -> dict[str, list[float]]:
    """Percentiles of speeds and accelerations of groups of joints.

    Args:
      clips: [N, F, 17, 3], metres.
      fps: frames a second.

    Returns:
      Name of the group -> percentiles of the speed in m/s, then of the acceleration in m/s^2.
    """
    velocity = np.diff(clips, axis=1) * fps
    acceleration = np.diff(velocity, axis=1) * fps
    return {
        name: [
            float(value)
            for values in (velocity, acceleration)
            for value in np.percentile(np.linalg.norm(values[:, :, joints], axis=-1), PERCENTILES)
        ]
        for name, joints in JOINTS.items()
    }


def main(argv: Sequence[str]) -> int:
    """Prints the tables; returns the exit code."""
    parser = commands.Parser('benchmarks.motion', __doc__)
    parser.add_argument('--poses', default='', help='motion capture, several files with commas')
    parser.add_argument('--parts', default='', help='beginnings of names in the first file')
    parser.add_argument('--clips', type=int, default=400, help='clips of each source')
    parser.add_argument('--fps', type=float, default=25.0, help='frames a second')
    parser.add_argument('--real', type=commands.path, help='folder with the real samples')
    values = parser.parse(argv)
    errors = list(noise_over_time.rows(values.real, values.clips))
    rows = []
    paths, parts = ([x for x in text.split(',') if x] for text in (values.poses, values.parts))
    for name, sample in sources(paths, parts, values.fps):
        rng = np.random.default_rng(0)
        clips = np.stack([sample(rng) for _ in range(values.clips)])
        rows += [
            [name, group, *(f'{value:.2f}' for value in numbers)]
            for group, numbers in percentiles(clips, values.fps).items()
        ]
    headers = ['source', 'joints', *(f'speed {p}%' for p in PERCENTILES)]
    headers += [f'acceleration {p}%' for p in PERCENTILES]
    print(tabulate.tabulate(rows, headers, 'github'))
    print()
    print(tabulate.tabulate(errors, noise_over_time.HEADERS, 'github', disable_numparse=True))
    return 0


if __name__ == '__main__':
    commands.run(main)
