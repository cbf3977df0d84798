"""How long a photograph takes: `python -m capf_jax.predict` in fresh processes, and its stages.

    python -m benchmarks.run predict
    python -m benchmarks.run predict --weights=my.safetensors --picture=photo.jpg

Flags: `weights` of a lifter for photographs (default pretrained/photographs.safetensors), `finder`
(default pretrained/movenet_multipose.safetensors), `picture` (default examples/balancing.jpg).
"""

from __future__ import annotations

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.machine import Row
from capf_jax.inference import (
    aiming,
    person_boxes,
    photographs,
    predictor,
    result_files,
    sources,
)
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.result_files import Output

ROOT = pathlib.Path(__file__).resolve().parents[1]
COPIES = 20  # pictures of the folder
ROUNDS = 5
COLD, WARM = 6.0, 3.0  # seconds, the goals of a fresh process


def rows(
    weights: str = str(predictor.LIFTER),
    finder: str = str(predictor.FINDER),
    picture: str = str(ROOT / 'examples' / 'balancing.jpg'),
) -> Iterator[Row]:
    """A fresh process without and with stored programs, a folder, and each stage in this one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        many = folder / 'pictures'
        many.mkdir()
        for number in range(COPIES):
            shutil.copy(picture, many / f'{number:03d}{pathlib.Path(picture).suffix}')
        flags = (f'--weights={weights}', f'--finder_weights={finder}', '--overwrite')
        cache = folder / 'programs'

        def command(source: str | pathlib.Path) -> float:
            return _seconds([str(source), f'--output={folder / "out"}', *flags], cache)

        def cold() -> float:
            shutil.rmtree(cache, ignore_errors=True)
            return command(picture)

        yield Row('fresh process, no program stored', cold(), note=f'goal {COLD:g} s')
        warm = statistics.median(command(picture) for _ in range(3))
        yield Row('fresh process, programs stored', warm, note=f'goal {WARM:g} s')
        each = (command(many) - command(many / next(os.walk(many))[2][0])) / (COPIES - 1)
        yield Row('a further picture of a folder', each, note=f'{1 / each:.1f} pictures a second')
    stages = _stages(weights, finder, pathlib.Path(picture))
    for name, seconds in stages.items():
        yield Row(f'  {name}', seconds)
    yield Row('sum of the stages', sum(stages.values()))


def _seconds(arguments: list[str], cache: pathlib.Path) -> float:
    """The command's time in a process of its own, from its start to its end."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, '-m', 'capf_jax.predict', *arguments],
        check=True,
        cwd=ROOT,
        env={**os.environ, 'JAX_COMPILATION_CACHE_DIR': str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def _stages(weights: str, finder: str, picture: pathlib.Path) -> Mapping[str, float]:
    """Median seconds of each stage of one picture, once everything is compiled."""
    models = Models.of(Estimator.load(weights, largest_batch=1))
    people_finder = predictor.default_finder(finder)
    times: dict[str, list[float]] = {}

    def timed(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        value = function(*args, **kwargs)
        times.setdefault(name, []).append(time.perf_counter() - start)
        return value

    with tempfile.TemporaryDirectory() as scratch:
        stem = pathlib.Path(scratch, 'result')
        for _ in range(ROUNDS + 1):
            shown = timed('read', sources.read, picture)
            camera = CameraChoice().camera(shown)
            boxes, _ = timed('find', person_boxes.find_boxes, shown.pixels, people_finder)
            corners = person_boxes.corners_of(boxes)
            aimed = timed('aim', aiming.aim, shown.pixels, corners, camera, models)
            pose, aimed = timed('lift', photographs.lift, shown.pixels, aimed, models)
            people = timed(
                'place', photographs.place, pose, aimed, boxes, camera, models,
                image_size=shown.size,
            )  # fmt: skip
            timed('write', result_files.write, people, shown, Output(stem, ('npz', 'json')))
            timed('draw', result_files.write, people, shown, Output(stem, ('png',)))
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}
