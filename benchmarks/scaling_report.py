"""What the rows of benchmarks.scaling say, as Markdown."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.accelerator_report import GUESS, Demand, memory_in_use, table
from benchmarks.loader_cores import CROPS, FEATURES, HEIGHT, WIDTH

BUSY = 0.1  # share of the cores used by others, above which a time is marked
UNKNOWN = '-'
Result = Mapping[str, Any]

LIMITS = """\
Virtual devices are parts of one CPU: XLA runs the program that it would run on so many real ones,
one copy a device, and exchanges arrays between them by copying memory.

What that shows: the step runs on so many devices; whether a device's memory and what it exchanges
in a step depend on their number; and what cutting the batch costs the processor. That the losses
are those of one device for the same whole batch is tested (`tests/runtime/test_devices.py`).

What it cannot show: **a step that gets faster with more devices.** All of them share these cores.
A step of N devices has N times the work of one, and takes about N times as long. Nor does it show
how long exchanges take between real chips and hosts, since memory stands for their links."""
TIMES = """\
*Overhead* is the processor's time of N devices over N times that of one device: 1.00 where
cutting the batch costs nothing. *Time ratio* is the same of the step's time; it is below 1 where
one device leaves cores idle. *Cores in use* is the processor's time over the step's. Medians of
single steps."""
MEMORY = """\
XLA's own account of the compiled program, MiB of one device, and the largest memory of the whole
process, which has all devices, Python and the compiler in it."""
EXCHANGES = """\
Counted from the text of the compiled program, as `benchmarks.accelerators` counts those of TPUs.
An all-reduce gives every device one array, as large on any number of devices. The all-gather of
an evaluation gives every device the outputs of all people: a device adds its own, and receives
more with every further device."""
READING = """\
`data_pipeline.loader` in a process of its own on so many cores, fastest of three passes. Crops
are smooth noise in JPEGs of quality 90, from the page cache. Features are what
`capf_jax.features` stores for lifters without deformable extraction. *Python's* is the time that
a reading thread spends on a person beside decoding: nearly all of it holds Python's lock, which
one thread has at a time, while pictures are decoded and files are read outside of it."""
CORES = f"""\
**Estimated, not measured.** What the chips eat are the crops a second of
[accelerators.md](accelerators.md), at the bound, which no run can beat, and at {GUESS:.0%} of it,
a guess at what a run reaches. *Cores* are those crops times the processor's time of a person on
all cores of the table above, rounded up: cores like these, each as fast among many and doing
nothing else, with as many `data.threads`. *Processes* are the crops times Python's part of it,
rounded up: where they are more than 1, further cores alone do not suffice, since the loader is
one process for all chips of a host. *GB/s* are the pixels that go from the host to the chips,
{HEIGHT}x{WIDTH}x3 bytes a crop.

The last two columns are for as many people a second from stored features. A step without its
detector is shorter than the one that was compiled, and would eat more of them."""


def markdown(steps: Sequence[Result], readings: Sequence[Result], demands: Sequence[Demand]) -> str:
    """All tables.

    Args:
      steps: rows of steps on virtual devices.
      readings: rows of the loader.
      demands: what chips need to be read for them.
    """
    parts = ['# Scaling, simulated', _conditions([*steps, *readings])]
    parts += ['## What a simulation shows, and what not', LIMITS]
    if steps:
        parts += ['## Time of a step', TIMES, _times(steps)]
        parts += ['## Memory of a device', MEMORY, _memory(steps)]
        parts += ['## Exchanges in a step', EXCHANGES, _exchanges(steps)]
        parts += ['## What stayed the same', '\n'.join(f'- {line}' for line in verdicts(steps))]
    if readings:
        parts += ['## Reading', READING, _readings(readings)]
        parts += ['## Host cores that chips need, estimated', CORES, _cores(readings, demands)]
    return '\n\n'.join(parts) + '\n'


def _conditions(results: Sequence[Result]) -> str:
    """When, where and with what the rows were made, and whether others used the cores."""
    lines = ['Made by `python -m benchmarks.scaling`.', '']
    for result in results:
        versions = ', '.join(f'{name} {number}' for name, number in result['versions'].items())
        line = f'- {result["date"]}, {result["machine"]}: {versions}'
        if line not in lines:
            lines.append(line)
    if busy := sum(map(is_busy, results)):
        lines += [
            '',
            f'**{busy} of {len(results)} rows were timed beside other programs**, which used more '
            f'than {BUSY:.0%} of the cores: their times, marked *, are of no use.',
        ]
    return '\n'.join(lines)


def is_busy(result: Result) -> bool:
    """Whether others used so much of the cores that a row's times are of no use."""
    return (result['others'] or 0) > BUSY


def groups(steps: Sequence[Result]) -> list[list[Result]]:
    """Rows that differ in the number of devices alone, in order of that number."""

    def same(result: Result) -> tuple[str, str, int]:
        return result['config'], result['step'], result['each']

    ordered = sorted(steps, key=lambda result: (*same(result), result['devices']))
    return [list(group) for _, group in itertools.groupby(ordered, same)]


def overhead(result: Result, one: Result) -> float:
    """The processor's time of a step over that of as many steps of one device."""
    return result['processor_seconds'] / (result['devices'] * one['processor_seconds'])


def exchanged(result: Result) -> dict[str, tuple[int, int]]:
    """Collectives in a step: kind -> how many, and bytes that one device adds to them."""
    return {
        kind: (
            exchange['count'],
            exchange['bytes'] // (result['devices'] if kind == 'all-gather' else 1),
        )
        for kind, exchange in result['collectives'].items()
    }


def verdicts(steps: Sequence[Result]) -> list[str]:
    """What does not depend on the number of devices, and what does, a sentence a group."""
    lines = []
    for group in groups(steps):
        first, *others = group
        numbers = ', '.join(str(result['devices']) for result in group)
        memory = [memory_in_use(result) for result in group]
        change = max(memory) / min(memory) - 1
        changed = [str(r['devices']) for r in others if exchanged(r) != exchanged(first)]
        exchanges = (
            f'**the exchanges of {", ".join(changed)} devices are others than those of '
            f'{first["devices"]}**'
            if changed
            else 'each device adds the same number of bytes to the same exchanges'
        )
        lines.append(
            f'{first["config"]}, {first["step"]}, on {numbers} devices: the memory of a device '
            f'differs by at most {change:.2%}, and {exchanges}.'
        )
    return lines


def cores_needed(people_a_second: float, reading: Result) -> int:
    """Host cores that read so many people a second, if each is as fast as one of these."""
    return math.ceil(people_a_second * reading['processor_seconds'])


def processes_needed(people_a_second: float, reading: Result) -> int:
    """Processes that do, if Python's part of reading is all that one process can do at a time."""
    return math.ceil(people_a_second * reading['python_seconds'])


def _times(steps: Sequence[Result]) -> str:
    headers = [
        'configuration', 'step', 'devices', 'people (a device)', 'ms', 'processor\'s ms',
        'of it a device', 'overhead', 'time ratio', 'cores in use', 'used by others',
    ]  # fmt: skip
    rows = []
    for group in groups(steps):
        one = group[0] if group[0]['devices'] == 1 else None
        for result in group:
            count, seconds = result['devices'], result['seconds']
            ratio = f'{seconds / (count * one["seconds"]):.2f}' if one else UNKNOWN
            rows.append([
                result['config'],
                result['step'],
                str(count),
                f'{count * result["each"]} ({result["each"]})',
                f'{1e3 * seconds:.1f}' + _mark(result),
                f'{1e3 * result["processor_seconds"]:.1f}',
                f'{1e3 * result["processor_seconds"] / count:.1f}',
                f'{overhead(result, one):.2f}' if one else UNKNOWN,
                ratio,
                f'{result["processor_seconds"] / seconds:.2f}',
                _others(result) + (', cores apart' if result['cores_apart'] else ''),
            ])  # fmt: skip
    return table(headers, rows)


def _mark(result: Result) -> str:
    return ' *' if is_busy(result) else ''


def _others(result: Result) -> str:
    return UNKNOWN if result['others'] is None else f'{result["others"]:.0%}'


def _memory(steps: Sequence[Result]) -> str:
    headers = [
        'configuration', 'step', 'devices', 'arguments', 'outputs', 'in the same place',
        'temporaries', 'in use', 'process at most',
    ]  # fmt: skip
    rows = [
        [
            result['config'],
            result['step'],
            str(result['devices']),
            *(
                f'{result["memory"][name] / 2**20:.3f}'
                for name in ('arguments', 'outputs', 'shared', 'temporaries')
            ),
            f'{memory_in_use(result) / 2**20:.3f}',
            f'{result["peak_memory"] / 2**20:.0f}',
        ]
        for group in groups(steps)
        for result in group
    ]
    return table(headers, rows)


def _exchanges(steps: Sequence[Result]) -> str:
    headers = [
        'configuration', 'step', 'devices', 'exchange', 'number', 'bytes that a device adds',
        'bytes that it receives',
    ]  # fmt: skip
    rows = []
    for result in (result for group in groups(steps) for result in group):
        row = [result['config'], result['step'], str(result['devices'])]
        for kind, (number, added) in exchanged(result).items():
            received = result['collectives'][kind]['bytes']
            rows.append([*row, kind, str(number), f'{added:,}', f'{received:,}'])
        if not result['collectives']:
            rows.append([*row, 'none', '0', '0', '0'])
    return table(headers, rows)


def _readings(readings: Sequence[Result]) -> str:
    headers = [
        'what', 'cores', 'threads', 'people a second', 'of a core', 'processor\'s µs a person',
        'of it Python\'s', 'used by others',
    ]  # fmt: skip
    rows = [
        [
            reading['kind'],
            str(reading['cores']),
            str(reading['threads']),
            f'{reading["speed"]:,.0f}' + _mark(reading),
            f'{reading["speed"] / reading["cores"]:,.0f}',
            f'{1e6 * reading["processor_seconds"]:.0f}',
            f'{1e6 * reading["python_seconds"]:.0f}',
            _others(reading),
        ]
        for reading in readings
    ]
    return table(headers, rows)


def _cores(readings: Sequence[Result], demands: Sequence[Demand]) -> str:
    """What chips eat, and the host cores that it takes."""
    of_all_cores = {
        reading['kind']: reading for reading in sorted(readings, key=lambda one: one['cores'])
    }
    if not demands or CROPS not in of_all_cores:
        return 'No chips, or no reading of crops, are among the rows.'
    headers = ['configuration', 'type', 'what', 'chips']
    for share in ('the bound', f'{GUESS:.0%} of it'):
        headers += [f'crops a second at {share}', 'cores', 'processes', 'GB/s']
    headers += ['cores, features', 'processes, features']
    rows = []
    for demand in demands:
        cells = [demand.config, demand.dtype, demand.what, demand.chips]
        for share in (1.0, GUESS):
            crops = demand.people_a_second(share)
            cells += [
                f'{crops:,.0f}',
                *_host(crops, of_all_cores[CROPS]),
                f'{crops * HEIGHT * WIDTH * 3 / 1e9:.1f}',
            ]
        cells += _host(demand.people_a_second(GUESS), of_all_cores.get(FEATURES))
        rows.append(cells)
    return table(headers, rows)


def _host(people_a_second: float, reading: Result | None) -> list[str]:
    """Cores and processes that read so many people a second."""
    if reading is None:
        return [UNKNOWN, UNKNOWN]
    needed = cores_needed(people_a_second, reading), processes_needed(people_a_second, reading)
    return [str(number) for number in needed]
