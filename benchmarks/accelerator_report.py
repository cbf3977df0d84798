"""What the rows of benchmarks.accelerators say, as Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import tabulate

from benchmarks import chips
from benchmarks.chips import CHIPS, H100, PASSES, Chip

# People of Human3.6M that the paper's training sees in 50 epochs, and that an evaluation sees,
# each twice: plain and mirrored (docs/method.md, Human3.6M).
TRAINED = 50 * 1_559_752
EVALUATED = 543_344
GUESS = 0.4  # the share of the bound that a run is guessed to reach
PRODUCTS_ALONE = ' (products alone)'  # where nobody knows what the memory has to move
UNKNOWN = '-'  # where the text of a program could not be read
MOST_SORTS = 5  # that the table shows of a row
Result = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Bound:
    """The least time of a step on a chip, as its published peaks allow.

    Attributes:
      arithmetic: seconds of the products alone.
      memory: seconds of reading and writing the large memory alone; 0 where nobody knows.
    """

    arithmetic: float
    memory: float

    @property
    def seconds(self) -> float:
        """Of both at once, neither waiting for the other."""
        return max(self.arithmetic, self.memory)


@dataclasses.dataclass(frozen=True)
class Demand:
    """What a machine with these chips needs to be read for it, estimated.

    Attributes:
      config: the configuration's name.
      dtype: that the networks compute in.
      what: the work: a training or an evaluation.
      chips: their number and their name, and what the estimate leaves out.
      hours: of the work at the bound.
      people: of the work, each of whom is read once.
    """

    config: str
    dtype: str
    what: str
    chips: str
    hours: float
    people: int

    def people_a_second(self, share: float) -> float:
        """People to read each second by a run that reaches this share of the bound."""
        return self.people * share / (self.hours * 3600)


def bound(result: Result) -> Bound:
    """The least time of a row's step."""
    chip = chips.chip_of(result['topology'])
    return Bound(
        arithmetic=result['flops'] * passes(result) / chip.flops,
        memory=(result['traffic'] or 0) / chip.bandwidth,
    )


def passes(result: Result) -> int:
    """Products of bfloat16 for each product of the row's type."""
    return PASSES[result['precision']] if result['dtype'] == 'float32' else 1


def memory_in_use(result: Result) -> int:
    """Bytes that a step takes on a chip; what goes in and out in the same place counts once."""
    memory = result['memory']
    return (
        memory['arguments'] + memory['outputs'] - memory['shared'] + memory['temporaries']
        + memory['program']
    )  # fmt: skip


def markdown(results: Sequence[Result], prices: Mapping[str, float] | None = None) -> str:
    """All tables.

    Args:
      results: the rows.
      prices: the price of an hour of one chip, by its name ('H100' among them), in any currency;
        the estimated hours of these get their money beside.
    """
    parts = [
        _conditions(results),
        '## Steps',
        _steps(results),
        '## Memory of a chip',
        _memory(results),
        '## What the bytes are for',
        _sorts(results),
        '## Published figures of the chips',
        _chips([*CHIPS.values(), H100]),
        "## Hours of the paper's training, estimated",
        _hours(results, prices or {}),
    ]
    return '\n\n'.join(parts) + '\n'


def _conditions(results: Sequence[Result]) -> str:
    """When, where and with what the rows were compiled."""
    lines = []
    for result in results:
        versions = ', '.join(f'{name} {number}' for name, number in result['versions'].items())
        line = f'- {result["date"]}, {result["machine"]}: {versions}'
        if line not in lines:
            lines.append(line)
    return 'Compiled by `python -m benchmarks.accelerators`, run nowhere.\n\n' + '\n'.join(lines)


def _steps(results: Sequence[Result]) -> str:
    headers = [
        'configuration', 'type', 'step', 'topology', 'chips (hosts)', 'batch (a chip)',
        'compiling, s', 'TFLOP a chip', 'XLA\'s bytes, GB', 'memory traffic, GB (padding)',
        'peak allows, ms', 'bandwidth allows, ms', 'exchanges', 'loops',
    ]  # fmt: skip
    rows = []
    for result in results:
        least, times = bound(result), passes(result)
        rows.append([
            result['config'],
            result['dtype'],
            result['step'],
            result['topology'],
            f'{result["chips"]} ({result["hosts"]})',
            f'{result["batch"]} ({result["batch"] // result["chips"]})',
            f'{result["compile_seconds"]:.0f} ({result["compile_processor_seconds"]:.0f})',
            f'{result["flops"] / 1e12:.2f}' + (f' x {times}' if times > 1 else ''),
            f'{result["bytes_accessed"] / 1e9:.1f}',
            _traffic(result),
            f'{1e3 * least.arithmetic:.1f}',
            f'{1e3 * least.memory:.1f}' if result['traffic'] else UNKNOWN,
            _exchanges(result),
            UNKNOWN if result['loops'] is None else str(result['loops']),
        ])  # fmt: skip
    return table(headers, rows)


def _traffic(result: Result) -> str:
    """Such as '8.6 (10%)'."""
    if not result['traffic']:
        return UNKNOWN
    return f'{result["traffic"] / 1e9:.1f} ({result["padding"] / result["traffic"]:.0%})'


def _exchanges(result: Result) -> str:
    """Such as '2 all-reduce, 56 MB'."""
    if result['collectives'] is None:
        return UNKNOWN
    return '; '.join(
        f'{exchange["count"]} {kind}, {exchange["bytes"] / 1e6:.2g} MB'
        for kind, exchange in result['collectives'].items()
    )


def _memory(results: Sequence[Result]) -> str:
    headers = [
        'configuration', 'type', 'step', 'topology', 'arguments', 'outputs', 'in the same place',
        'temporaries', 'program', 'in use, GiB', 'of the chip\'s, GiB', 'share',
    ]  # fmt: skip
    rows = []
    for result in results:
        chip, used = chips.chip_of(result['topology']), memory_in_use(result)
        rows.append([
            result['config'],
            result['dtype'],
            result['step'],
            result['topology'],
            *(f'{number / 2**30:.2f}' for number in result['memory'].values()),
            f'{used / 2**30:.2f}',
            f'{chip.memory / 2**30:.1f}',
            f'{used / chip.memory:.0%}',
        ])  # fmt: skip
    return table(headers, rows)


def _sorts(results: Sequence[Result]) -> str:
    rows = [
        [
            f'{result["config"]}, {result["dtype"]}, {result["step"]}, {result["topology"]}',
            sort['sort'],
            str(sort['count']),
            f'{sort["bytes"] / 1e9:.2f}',
            f'{sort["padding"] / 1e9:.2f}',
        ]
        for result in results
        for sort in result['sorts'][:MOST_SORTS]
    ]
    return table(['row', 'operations', 'number', 'GB', 'of it padding'], rows)


def _chips(known: Sequence[Chip]) -> str:
    rows = [
        [
            chip.name,
            f'{chip.flops / 1e12:.1f}',
            f'{chip.memory / 1e9:.1f}',
            f'{chip.bandwidth / 1e9:.0f}',
            chip.source,
        ]
        for chip in known
    ]
    return table(['chip', 'bfloat16, TFLOP/s', 'memory, GB', 'GB/s', 'published'], rows)


def demands(results: Sequence[Result]) -> list[Demand]:
    """What chips that stand for a whole machine take, where their topology is among the rows."""
    all_of_them = []
    for result in results:
        if not result['config'].startswith('human36m'):
            continue  # Another dataset has other numbers of people.
        chip = chips.chip_of(result['topology'])
        people = TRAINED if result['step'] == 'train' else EVALUATED
        what = 'training, 50 epochs' if result['step'] == 'train' else 'one evaluation'
        share = people / result['batch'] * result['chips']  # steps of one chip alone
        row = (result['config'], result['dtype'], what)
        if chip.name in ('v5e', 'v6e'):
            hours = share * bound(result).seconds / 8 / 3600
            alone = '' if result['traffic'] else PRODUCTS_ALONE
            all_of_them.append(Demand(*row, f'8 {chip.name}{alone}', hours, people))
        if chip.name == 'v5e' and passes(result) == 1 and result['dtype'] == 'bfloat16':
            # Another compiler moves other bytes: of a GPU only the products are known.
            hours = share * result['flops'] / H100.flops / 3600
            all_of_them.append(Demand(*row, f'1 H100{PRODUCTS_ALONE}', hours, people))
    return all_of_them


def _hours(results: Sequence[Result], prices: Mapping[str, float]) -> str:
    """Hours of training and of one evaluation, of chips whose topology is among the rows."""
    rows = [
        [
            demand.config,
            demand.dtype,
            demand.what,
            demand.chips,
            f'{demand.hours:.2g}',
            f'{demand.hours / GUESS:.2g}',
            f'{demand.people_a_second(GUESS):,.0f}',
            _money(demand, prices),
        ]
        for demand in demands(results)
    ]
    if not rows:
        return 'No row of a v5e or a v6e is here.'
    headers = [
        'configuration', 'type', 'what', 'chips', 'hours at the bound',
        f'hours at {GUESS:.0%} of it', 'crops a second to read for these', 'money for these',
    ]  # fmt: skip
    shown = len(headers) if prices else len(headers) - 1
    return table(headers[:shown], [row[:shown] for row in rows])


def _money(demand: Demand, prices: Mapping[str, float]) -> str:
    """What the hours that a run takes cost, where the price of the chip is known."""
    number, chip = demand.chips.split()[:2]
    if chip not in prices:
        return UNKNOWN
    return f'{int(number) * prices[chip] * demand.hours / GUESS:.2g}'


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a table in Markdown."""
    return tabulate.tabulate(rows, headers, 'pipe', disable_numparse=True)
