"""`python -m benchmarks.run conversion`: time and peak memory of converting and exporting files.

    python -m benchmarks.run conversion [--only=hrnet_w32_coco+ca_pf_cpn]
    python -m benchmarks.conversion [FILE ...]     prints more columns

FILE is a name for which tests/goldens/manifests.py has PyTorch keys and shapes, or a detector of
the catalog, whose table of names has them. For each, .pth files of random weights are made, one of
them in half precision, and converted and exported, each time in a process of its own. The memory is
that process's peak above what Python and the libraries take, over the file's size. The goals are
30 s a file, and memory of 2.5 times its size. It runs on Linux only, since it reads /proc.
"""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import tabulate

from benchmarks.machine import Row, memory
from tests.goldens import manifests

GOALS = 30.0, 2.5  # seconds, and peak memory over the file's size
# Detectors of which the tests hold no list of keys.
OTHERS = (
    'resnet50_imagenet', 'hrnet_w32_imagenet', 'hrnet_w48_imagenet', 'vitpose_s', 'vitpose_l',
    'vitpose_h',
)  # fmt: skip
LAYOUTS = 'zip', 'old', 'float16 zip'
HEADER = ('file', 'MB', 'format', 'what', 's', 'peak MB above imports', 'of file size')


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One conversion in a process of its own.

    Attributes:
      name: name of the file, see above.
      size: size of the source file, bytes.
      layout: layout of the PyTorch file, one of `LAYOUTS`.
      what: 'convert' or 'export'.
      seconds: time of reading, hashing, converting and writing, without Python's start and imports.
      peak: largest resident memory above that after the imports, bytes; pages of files count.
    """

    name: str
    size: int
    layout: str
    what: str
    seconds: float
    peak: int

    def cells(self) -> tuple[str, ...]:
        """The measurement as a row of `HEADER`."""
        return (
            self.name,
            f'{self.size / 1e6:.0f}',
            self.layout,
            self.what,
            f'{self.seconds:.1f}',
            f'{self.peak / 1e6:.0f}',
            f'{self.peak / self.size:.2f}x',
        )

    def row(self) -> Row:
        """The measurement as a row of `benchmarks.run`."""
        seconds, share = GOALS
        met = self.seconds < seconds and self.peak < share * self.size
        return Row(
            f'{self.what} {self.name}, {self.layout} file of {self.size / 1e6:.0f} MB',
            self.seconds,
            note=f'peak memory {self.peak / self.size:.2f}x the file; goals of {seconds:.0f} s and '
            f'{share}x {"met" if met else "missed"}',
        )


def measure(name: str, layout: str) -> list[Measurement]:
    """Measures converting a file of these keys and shapes, and exporting the converted file."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(pathlib.Path(folder, name)) for name in ('a.pth', 'b.safetensors', 'c.pth')]
        _in_process('make', name, paths[0], layout)
        measurements = []
        for what, source, target in (('convert', *paths[:2]), ('export', *paths[1:])):
            seconds, peak = _in_process(what, source, target)
            size = pathlib.Path(source).stat().st_size
            measurements.append(Measurement(name, size, layout, what, seconds, peak))
    return measurements


def _in_process(*arguments: str) -> tuple[float, int]:
    """Runs one step in a process of its own, which prints seconds and bytes."""
    command = [sys.executable, '-m', 'benchmarks.conversion', '--in-process', *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


def _run(what: str, source: str, target: str, layout: str = '') -> tuple[float, int]:
    """Runs one step in this process and returns (seconds, bytes of the peak above the start)."""
    import torch  # before the clock starts

    if what == 'make':
        dtype = torch.float16 if 'float16' in layout else torch.float32
        state = {
            key: torch.randn(shape).to(dtype) if shape else torch.tensor(0)
            for key, shape in _shapes(source).items()
        }
        torch.save(state, target, _use_new_zipfile_serialization='zip' in layout)
        return 0.0, 0
    from converters.conversion import convert
    from converters.export import export

    before = memory('VmRSS')
    pathlib.Path('/proc/self/clear_refs').write_text('5')  # resets the peak, which imports have set
    start = time.perf_counter()
    (convert if what == 'convert' else export)(source, target)
    return time.perf_counter() - start, memory('VmHWM') - before


def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    """PyTorch keys and shapes of a published file."""
    if name in manifests.names():
        return manifests.read(name)
    from converters import engine, tables

    model = tables.detector(name)
    return engine.torch_shapes(model.rules, model.expected())


def measure_all(names: Sequence[str] = ()) -> list[Measurement]:
    """Measures every named file in every layout, by default all files."""
    return [
        measurement
        for name in names or (*manifests.names(), *OTHERS)
        for layout in LAYOUTS
        for measurement in measure(name, layout)
    ]


def rows(only: str = '') -> list[Row]:
    """A row for each conversion and export; `only` has names of files, joined by +."""
    return [
        measurement.row() for measurement in measure_all([name for name in only.split('+') if name])
    ]


def main(arguments: list[str]) -> None:
    """Prints the measurements of every file that is named, by default of all."""
    if arguments[:1] == ['--in-process']:
        print(*_run(*arguments[1:]))
        return
    cells = [measurement.cells() for measurement in measure_all(arguments)]
    print(tabulate.tabulate(cells, HEADER, 'github', disable_numparse=True))


if __name__ == '__main__':
    main(sys.argv[1:])
