"""How fast an exported network runs in ONNX Runtime, OpenVINO and PyTorch, beside our Estimator.

    pip install -r requirements-export.txt -r requirements-dev.txt openvino
    python -m benchmarks.exported_speed

HRNet-W32 from crops to 2D joints at batch 1 and 16, and the lifter of CA-PF HRNet-32 from 2D joints
and feature maps to poses at batch 1 and 64, float32, on the CPU. The weights are those of the
parity recipe. Each program runs alone, in a process of its own in which nothing is set, as one
that only imports the library; the processes of a row take turns, --rounds times. A process first
compares its outputs with the proof of the export. A cell is the median call of the fastest process,
and in brackets the fastest call; the last column tells how many times as long the best of the
others takes as the Estimator. PyTorch's network (benchmarks/torch_exported.py) has the same
weights; compiled, it needs a C++ compiler, and minutes for the first process. What is not
installed stays empty, and stderr says what to install.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tabulate

from benchmarks.exports import write_weights
from capf_jax.errors import UserError
from capf_jax.exporting import folder, networks_to_export
from capf_jax.exporting.formats import FORMATS, Run
from capf_jax.inference.estimator import Estimator
from capf_jax.pose.normalise import normalise_by_crop
from capf_jax.runtime import commands

ESTIMATOR = 'Estimator'
PACKAGES = {
    ESTIMATOR: 'jax',
    'ONNX Runtime': 'onnxruntime',
    'OpenVINO': 'openvino',
    'PyTorch': 'torch',
    'PyTorch compiled': 'torch',
}
TOLERANCE = 1e-3  # of an output's largest value; above that a program computes something else


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is timed.

    Attributes:
      name: in the table.
      published: the file of tests/goldens/manifests.py whose weights it has.
      part: of the export.
      batches: sizes.
      compared: the outputs that the Estimator gives too.
    """

    name: str
    published: str
    part: str
    batches: tuple[int, ...]
    compared: tuple[str, ...]


SUBJECTS = {
    'detector': Subject('HRNet-W32', 'hrnet_w32_coco', 'detector', (1, 16), ('joints',)),
    'lifter': Subject('lifter of HRNet-32', 'ca_pf_hrnet_32', 'lifter', (1, 64), ('pose',)),
}


def export_all(subject: Subject, place: pathlib.Path) -> None:
    """Puts the weights and their export into a folder."""
    weights = place / 'weights.safetensors'
    write_weights(subject.published, weights)
    exported = networks_to_export.of_file(weights, subject.part)
    folder.write(exported, ['onnx'], place)


def program(engine: str, subject: Subject, place: pathlib.Path) -> Run:
    """The inputs of the export in their order -> its outputs, of which `compared` come first.

    Raises:
      UserError: OpenVINO or ONNX Runtime is not installed.
    """
    path = place / f'{subject.part}.onnx'
    if engine == 'ONNX Runtime':
        return FORMATS['onnx'].opened(path)
    if engine == 'OpenVINO':
        return _open_openvino(path)
    if engine.startswith('PyTorch'):
        from benchmarks import torch_exported

        return torch_exported.program(subject.part, place, engine.endswith('compiled'))
    estimator = Estimator.load(place / 'weights.safetensors')
    if subject.part == 'detector':
        return lambda inputs: list(estimator.joints(inputs[0]))
    return _lifter_of(estimator)


def _lifter_of(estimator: Estimator) -> Run:
    """The lifter's program of an Estimator, which itself gets its maps from a detector."""
    import jax

    from capf_jax.backends import programs

    lifter, size = estimator.lifter, estimator.crop_size
    assert lifter is not None
    assert size is not None
    height, width = size

    def lift(variables: Any, joints2d: Any, joints2d_crop: Any, *maps: Any) -> Any:
        by_crop = normalise_by_crop(joints2d_crop, (width, height))
        with jax.default_matmul_precision('highest'):
            output: Any = lifter.module.apply(variables, joints2d, by_crop, maps)
        return output[0]

    compiled = programs.jit(lift, few_rows=True)
    return lambda inputs: [np.asarray(compiled(lifter.variables, *inputs))]


def _open_openvino(path: pathlib.Path) -> Run:
    try:
        import openvino  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        raise UserError('OpenVINO is not installed: pip install openvino') from None
    compiled: dict[int, Any] = {}

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        batch = len(inputs[0])
        if batch not in compiled:
            core = openvino.Core()
            model = core.read_model(path)
            # Of a size that is known it makes a faster program than of any size.
            model.reshape({i: array.shape for i, array in enumerate(inputs)})
            # It would choose bfloat16 where the processor has it.
            hints = {'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
            compiled[batch] = core.compile_model(model, 'CPU', hints)
        results = compiled[batch](list(inputs))
        return [results[output] for output in compiled[batch].outputs]

    return run


def measure(
    engine: str, subject: Subject, batch: int, place: pathlib.Path, seconds: float
) -> list[float]:
    """Seconds of the fastest and the median call in this process.

    Raises:
      UserError: the program gives something else than the export's proof.
    """
    manifest = json.loads((place / f'{subject.part}.json').read_text())
    with np.load(place / manifest['parity']['file'], allow_pickle=False) as file:
        proof = dict(file)
    rows = np.arange(batch) % len(next(iter(proof.values())))
    inputs = [proof[f'inputs/{one["name"]}'][rows] for one in manifest['inputs']]
    run = program(engine, subject, place)
    for name, output in zip(subject.compared, run(inputs), strict=False):
        expected = proof[f'outputs/{name}'][rows]
        if not np.abs(output - expected).max() <= TOLERANCE * np.abs(expected).max():
            raise UserError(f'{engine} gives other {name} than the proof in {place}')
    return timed(lambda: run(inputs), seconds)


def timed(call: Callable[[], object], seconds: float) -> list[float]:
    """The fastest and the median of at least five calls; the first two do not count."""
    calls: list[float] = []
    call()
    call()
    while len(calls) < 5 or sum(calls) < seconds:
        start = time.perf_counter()
        call()
        calls.append(time.perf_counter() - start)
    return [min(calls), statistics.median(calls)]


def row(name: str, times: dict[str, list[list[float]]]) -> list[str]:
    """A line of the table.

    Args:
      name: of the program and its batch.
      times: by engine, of each process what `measure` gives; none of one that is not installed.
    """
    best = {engine: min(median for _, median in runs) for engine, runs in times.items() if runs}
    cells = [
        f'{1e3 * best[engine]:.1f} ({1e3 * min(runs)[0]:.1f})' if runs else ''
        for engine, runs in times.items()
    ]
    others = [seconds for engine, seconds in best.items() if engine != ESTIMATOR]
    ratio = f'{min(others) / best[ESTIMATOR]:.2f}x' if others and ESTIMATOR in best else ''
    return [name, *cells, ratio]


def _in_process(arguments: Sequence[str]) -> list[float] | None:
    """What `measure` gives in a process of its own; None if it failed, which it has told."""
    command = [sys.executable, '-m', 'benchmarks.exported_speed', *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def main(argv: Sequence[str]) -> int:
    """Prints the table; 1 if a program failed."""
    parser = commands.Parser('benchmarks.exported_speed', __doc__)
    parser.add_argument('--rounds', type=int, default=3, help='processes a cell; default 3')
    parser.add_argument('--seconds', type=float, default=8.0, help='of calls a process; default 8')
    parser.add_argument('--only', choices=list(SUBJECTS), help='the detector or the lifter alone')
    parser.add_argument('--one', nargs=3, metavar=('ENGINE', 'BATCH', 'FOLDER'), help='one cell')
    values = parser.parse(argv)
    if values.one is not None:
        engine, batch, place = values.one
        subject = SUBJECTS[values.only]
        times = measure(engine, subject, int(batch), pathlib.Path(place), values.seconds)
        print(json.dumps(times))
        return 0
    FORMATS['onnx'].check_installed()
    engines = [name for name, package in PACKAGES.items() if importlib.util.find_spec(package)]
    for name in PACKAGES.keys() - engines:
        print(f'{name} is not installed: pip install {PACKAGES[name]}', file=sys.stderr)
    rows, is_whole = [], True
    for key in [values.only] if values.only else SUBJECTS:
        subject = SUBJECTS[key]
        with tempfile.TemporaryDirectory() as place:
            export_all(subject, pathlib.Path(place))
            for batch in subject.batches:
                times: dict[str, list[list[float]]] = {name: [] for name in PACKAGES}
                for _ in range(values.rounds):
                    for engine in engines:
                        one = ['--one', engine, str(batch), place, f'--only={key}']
                        result = _in_process([*one, f'--seconds={values.seconds}'])
                        is_whole &= result is not None
                        times[engine] += [] if result is None else [result]
                rows.append(row(f'{subject.name}, batch {batch}', times))
    header = ('what', *(f'{name}, ms' for name in PACKAGES), 'best of the others / Estimator')
    print(tabulate.tabulate(rows, header, 'github', disable_numparse=True))
    return 0 if is_whole else 1


if __name__ == '__main__':
    commands.run(main)
