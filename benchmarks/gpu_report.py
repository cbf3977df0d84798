"""What the rows of benchmarks.gpu say, as Markdown: times, goals, memory, agreement, failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tabulate

from benchmarks.chips import GPUS
from benchmarks.gpu_jobs import OURS, Result
from benchmarks.gpu_subjects import TOLERANCE, difference

COMPILED = ('compiled', 'graphs')  # PyTorch's ways that torch.compile makes
PYTORCH = ('eager', *COMPILED)
RATIO_GOAL = 2.0  # times as fast as PyTorch compiled
MFU_GOAL = 0.4  # of the GPU's published peak in bfloat16
SAME = 0.05  # by which the first loss, or the mean size of outputs, of two programs may differ
MEASURES_NOTHING = '**A check of the command on tiny networks, and no measurement.**'
Group = dict[str, tuple[Result, dict[str, Any]]]  # program -> its row and one of its measures


def markdown(results: Sequence[Result]) -> str:
    """All tables; each GPU and each configuration has its own."""
    parts = [MEASURES_NOTHING] if any(result['small'] for result in results) else []
    parts.append('Measured by `python -m benchmarks.gpu`.')
    for device, config in dict.fromkeys((one['device'], one['config']) for one in results):
        these = [one for one in results if (one['device'], one['config']) == (device, config)]
        parts += [f'# {device}, {config}', *_section(device, these)]
    return '\n\n'.join(parts) + '\n'


def _section(device: str, results: Sequence[Result]) -> list[str]:
    failures = _failures(results)
    return [
        _conditions(results),
        '## Times',
        _times(results),
        _peak(device),
        '## Memory',
        _memory(results),
        '## Do both sides compute the same?',
        'In float32, as a share of the largest number of each output.',
        _agreement(results),
        *(['## Failures', failures] if failures else []),
    ]


def _conditions(results: Sequence[Result]) -> str:
    lines = []
    for result in results:
        versions = [f'{name} {number}' for name, number in result.get('versions', {}).items()]
        line = f'- {result["date"]}, {result["machine"]}'
        line += f': {", ".join(versions)}' if versions else ''
        if line not in lines:
            lines.append(line)
    return '\n'.join(lines)


def _groups(results: Sequence[Result]) -> dict[tuple[Any, ...], Group]:
    """What stands on one line: the same work of every program."""
    groups: dict[tuple[Any, ...], Group] = {}
    timed = [result for result in results if not result['check']]
    names: dict[str, list[str]] = {}  # A row that failed at once has no measures of its own.
    for result in timed:
        for measure in result['measures']:
            if measure['name'] not in names.setdefault(result['subject'], []):
                names[result['subject']].append(measure['name'])
    for result in timed:
        measures = {measure['name']: measure for measure in result['measures']}
        for name in names.get(result['subject'], [result['subject']]):
            key = (name, result['dtype'], result['people'])
            measure = measures.get(name, {'name': name})
            groups.setdefault(key, {})[result['program']] = result, measure
    return groups


def _times(results: Sequence[Result]) -> str:
    headers = [
        'what', 'type', 'people', 'ours, ms', 'people a second', *(f'{way}, ms' for way in PYTORCH),
        'best of PyTorch', 'ratio to it', f'ratio to compiled (goal {RATIO_GOAL:g}x)',
        f'MFU (goal {MFU_GOAL:.0%})',
    ]  # fmt: skip
    rows = []
    for (name, dtype, people), group in _groups(results).items():
        seconds = {program: _seconds(group, program) for program in (OURS, *PYTORCH)}
        ours, small = seconds[OURS], any(result['small'] for result, _ in group.values())
        best = min(
            (way for way in PYTORCH if seconds[way]), key=lambda way: seconds[way] or 0, default=''
        )
        compiled = [seconds[way] for way in COMPILED if seconds[way]]
        ratios = [_ratio(ours, seconds.get(best)), _ratio(ours, min(compiled, default=None))]
        rows.append([
            name,
            dtype,
            str(people),
            _cell(group, OURS),
            f'{people / ours:,.0f}' if ours else '',
            *(_cell(group, way) for way in PYTORCH),
            *(['-'] * 4 if small else [best, *ratios, _mfu(group)]),
        ])  # fmt: skip
    return _table(headers, rows)


def _seconds(group: Group, program: str) -> float | None:
    """A program's time; None where it has none, or computes something else than ours."""
    seconds = group[program][1].get('seconds') if program in group else None
    return seconds if seconds and not _is_other(group, program) else None


def _is_other(group: Group, program: str) -> bool:
    """Whether a program's first loss or mean output is far from ours."""
    ours, theirs = (group.get(one, ({}, {}))[1].get('value') for one in (OURS, program))
    return ours is not None and theirs is not None and not abs(theirs - ours) <= SAME * abs(ours)


def _cell(group: Group, program: str) -> str:
    if program not in group:
        return 'not run'
    seconds = group[program][1].get('seconds')
    if seconds is None:
        return 'failed'
    return 'other result' if _is_other(group, program) else f'{1e3 * seconds:.3f}'


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f'{theirs / ours:.2f}x' if ours and theirs else ''


def _mfu(group: Group) -> str:
    """Our share of the GPU's peak, in bfloat16 alone, where its peak is known."""
    if OURS not in group:
        return ''
    result, measure = group[OURS]
    gpu, seconds = GPUS.get(result['device']), measure.get('seconds')
    is_whole = result.get('kind', result['device']) == result['device']  # and no part of a GPU
    if (
        gpu is None
        or not is_whole
        or not seconds
        or not result.get('flops')
        or result['dtype'] != 'bfloat16'
    ):
        return ''
    return f'{result["flops"] / seconds / gpu.flops:.1%}'


def _peak(device: str) -> str:
    """What MFU is a share of, or why there is none."""
    if device not in GPUS:
        return f'No MFU: no published peak of {device} is in benchmarks/chips.py.'
    return f'MFU: of {GPUS[device].flops / 1e12:.1f} TFLOP/s ({GPUS[device].source}).'


def _memory(results: Sequence[Result]) -> str:
    """The most memory of each process; a process of samplers has several programs."""
    rows = []
    for result in results:
        if result['check'] or 'memory' not in result:
            continue
        own = max((measure.get('program_bytes') or 0 for measure in result['measures']), default=0)
        rows.append([
            result['subject'],
            result['dtype'],
            str(result['people']),
            result['program'],
            f'{result["memory"] / 2**30:.2f}' if result['memory'] else 'not counted',
            f'{own / 2**30:.2f}' if own else '',
        ])  # fmt: skip
    headers = ['what', 'type', 'people', 'program', 'peak, GiB', "by the compiler's account, GiB"]
    return _table(headers, rows)


def _agreement(results: Sequence[Result]) -> str:
    rows = []
    for ours, theirs in _checks(results):
        for one, other in zip(ours['measures'], theirs['measures'], strict=True):
            error = difference(one['values'], other['values'])
            verdict = 'yes' if error < TOLERANCE else 'NO'
            count = sum(map(len, one['values']))
            rows.append([one['name'], str(count), f'{error:.1e}', verdict])
    headers = ['what', 'numbers compared', 'largest difference', f'under {TOLERANCE:g}']
    return _table(headers, rows)


def _checks(results: Sequence[Result]) -> Iterator[tuple[Result, Result]]:
    """Our outputs and PyTorch's of the same work."""
    whole = [result for result in results if result['check'] and 'failure' not in result]
    for ours in whole:
        for theirs in whole:
            same = ours['subject'] == theirs['subject']
            if same and ours['program'] == OURS and theirs['program'] == 'eager':
                yield ours, theirs


def _failures(results: Sequence[Result]) -> str:
    lines = []
    for result in results:
        if 'failure' in result:
            name = ', '.join(str(result[key]) for key in ('subject', 'dtype', 'people', 'program'))
            check = ' (comparison)' if result['check'] else ''
            lines.append(f'- {name}{check}: {result["failure"]}')
    return '\n'.join(lines)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate.tabulate(rows, headers, 'pipe', disable_numparse=True)
