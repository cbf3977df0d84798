"""Reads the text of a compiled XLA program: its operations, their bytes, and its collectives.

`jax.stages.Compiled.as_text()` gives this text. XLA's own totals (`cost_analysis`) say nothing of
where bytes go; the text does. Counted is the entry computation, whose operations run one after
another, with the bodies of its loops; what a fusion does inside never leaves the chip's registers.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import re
from collections.abc import Iterator, Mapping

# Operations that name or view memory, and move none.
FREE = frozenset((
    'parameter', 'get-tuple-element', 'tuple', 'bitcast', 'constant', 'after-all', 'partition-id',
    'custom-call-start',
))  # fmt: skip
# What another core of the chip does meanwhile, such as a gather on a sparse core.
ASIDE = 'custom-call-update'
COLLECTIVES = (
    'all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all', 'collective-permute',
)  # fmt: skip
# What names a fusion: the first of these that it has inside.
INSIDE = (
    'convolution', 'dot', 'scatter', 'gather', 'sort', 'custom-call', 'reduce-window', 'reduce',
    'transpose', 'copy',
)  # fmt: skip
_BITS = {'pred': 8, 's4': 4, 'u4': 4, 'bf16': 16, 'f8e4m3fn': 8, 'f8e5m2': 8, 'token': 0}
_FIRST_LINE = re.compile(r'^(ENTRY )?%?([\w.-]+) \(.*\{$')
_OPERATION = re.compile(r'^\s+(ROOT )?%?([\w.-]+) = (.*)$')
_ARRAY = re.compile(r'([a-z]\w*)\[([\d,]*)\](?:\{([^}]*)\})?')
_TILE = re.compile(r'T\(([\d,*]+)\)')
_CALLED = re.compile(r'(?:calls|body)=%?([\w.-]+)')
_NAME = re.compile(r'op_name="([^"]*)"')
_MODULE = re.compile(r'HRNet|Lifter')
# `encode` calls all methods that are modules of the paper; what begins with _ serves several.
_METHOD = re.compile(r'(?:HRNet|Lifter)\.(?!encode\b|_)(\w+)')
_OPERAND = re.compile(r'%([\w.-]+)')


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of a compiled program.

    Attributes:
      name: in the program.
      kind: what XLA calls it, such as 'fusion'.
      type: of its result, with the layout, as XLA writes it.
      operands: names of what it reads.
      called: the computation that a fusion or a loop runs; '' for others.
      source: the JAX operation that it comes from, with the modules that called it; '' if unknown.
    """

    name: str
    kind: str
    type: str
    operands: tuple[str, ...]
    called: str
    source: str


@dataclasses.dataclass(frozen=True)
class Program:
    """The computations of a compiled program.

    Attributes:
      computations: name -> operations, in the order in which they run.
      entry: the name of that which the program runs.
    """

    computations: dict[str, tuple[Operation, ...]]
    entry: str

    def operations(self) -> Iterator[Operation]:
        """The entry's operations, and once those of each loop's body."""
        waiting = [self.entry]
        while waiting:
            for operation in self.computations.get(waiting.pop(), ()):
                yield operation
                if operation.kind == 'while':
                    waiting.append(operation.called)

    def inside(self, operation: Operation) -> str:
        """The kind of an operation; of a fusion what it is made around, such as 'convolution'."""
        if operation.kind != 'fusion':
            return operation.kind
        kinds = {part.kind for part in self._all_of(operation.called)}
        return next((f'fused {kind}' for kind in INSIDE if kind in kinds), 'fused arithmetic')

    def sources(self) -> dict[str, str]:
        """The JAX operation of each operation by name; of a copy that of its first reader."""
        sources: dict[str, str] = {}
        readers: dict[str, str] = {}
        for operation in reversed(list(self.operations())):
            sources[operation.name] = operation.source or readers.get(operation.name, '')
            for operand in operation.operands:
                readers[operand] = sources[operation.name]
        return sources

    def _all_of(self, computation: str) -> Iterator[Operation]:
        for operation in self.computations.get(computation, ()):
            yield operation
            if operation.kind == 'fusion':
                yield from self._all_of(operation.called)


def parse(text: str) -> Program:
    """The program of a text.

    Raises:
      ValueError: the text has no entry computation.
    """
    computations: dict[str, tuple[Operation, ...]] = {}
    entry, name, operations = '', '', []
    for line in text.splitlines():
        if first := _FIRST_LINE.match(line):
            name, operations = first[2], []
            entry = name if first[1] else entry
        elif line.startswith('}') and name:
            computations[name] = tuple(operations)
            name = ''
        elif name and (match := _OPERATION.match(line)):
            operations.append(_operation(match[2], match[3]))
    if not entry:
        raise ValueError('the text of the compiled program has no entry computation')
    return Program(computations, entry)


def _operation(name: str, rest: str) -> Operation:
    """The operation of a line, behind its ' = '."""
    end = _end_of_type(rest)
    kind, _, arguments = rest[end:].lstrip().partition('(')
    called, source = _CALLED.search(arguments), _NAME.search(arguments)
    operands = arguments[: _closing(arguments)]
    return Operation(
        name,
        kind,
        rest[:end],
        tuple(_OPERAND.findall(operands)),
        called[1] if called else '',
        source[1] if source else '',
    )


def _end_of_type(rest: str) -> int:
    """Where the type at the start of a text ends; that of a tuple has brackets inside."""
    return _closing(rest[1:]) + 2 if rest.startswith('(') else rest.find(' ')


def _closing(text: str) -> int:
    """Where the bracket closes that opened before the text."""
    depth = 1
    for place, letter in enumerate(text):
        depth += (letter == '(') - (letter == ')')
        if not depth:
            return place
    return len(text)


@dataclasses.dataclass(frozen=True)
class Size:
    """Bytes of an array or of several.

    Attributes:
      numbers: of the numbers alone.
      in_memory: that they take in the chip's large memory, with what the layout pads them with.
      padding: how many of these are padding.
    """

    numbers: int = 0
    in_memory: int = 0
    padding: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(
            self.numbers + other.numbers,
            self.in_memory + other.in_memory,
            self.padding + other.padding,
        )


def size_of(type_text: str) -> Size:
    """The bytes of a type, such as 'f32[8,128]{1,0:T(8,128)}' or a tuple of such.

    An array in another memory than the large one, 'S(1)' in its layout, takes none there.
    """
    whole = Size()
    for kind, dimensions, layout in _ARRAY.findall(type_text):
        bits = _BITS.get(kind) or int(re.sub(r'\D', '', kind) or 0)
        shape = [int(number) for number in dimensions.split(',') if number]
        numbers = math.prod(shape) * bits // 8
        padded = math.prod(_padded(shape, layout)) * bits // 8
        elsewhere = re.search(r'S\([1-9]', layout)
        whole += Size(numbers) if elsewhere else Size(numbers, padded, padded - numbers)
    return whole


def _padded(shape: list[int], layout: str) -> list[int]:
    """A shape, the sides that are laid out in tiles rounded up to whole tiles."""
    tile = _TILE.search(layout)
    if not tile or not shape:
        return shape
    sides = [int(side) for side in tile[1].split(',') if side.isdigit()]
    order = [int(number) for number in layout.split(':')[0].split(',') if number]
    padded = list(shape)
    for dimension, side in zip(order, reversed(sides), strict=False):  # the fastest comes first
        padded[dimension] = -(-shape[dimension] // side) * side
    return padded


@dataclasses.dataclass(frozen=True)
class Traffic:
    """What operations of one sort read and write.

    Attributes:
      sort: the part of the network, and what the operations do.
      count: how many operations.
      bytes: read and written in the large memory, with padding.
      padding: how many of the bytes are padding.
    """

    sort: str
    count: int
    bytes: int
    padding: int


def traffic(program: Program) -> list[Traffic]:
    """What the operations of a program read and write, by sort, those of most bytes first.

    Operations are told apart by `part_of` their source and by what they do.
    """
    counts: collections.Counter[str] = collections.Counter()
    sizes: dict[str, Size] = collections.defaultdict(Size)
    types = {
        operation.name: operation.type
        for operations in program.computations.values()
        for operation in operations
    }
    sources = program.sources()
    for operation in program.operations():
        if operation.kind in FREE or operation.kind == 'while' or operation.kind.endswith('-done'):
            continue
        whole = moved(operation, types)
        sort = f'{part_of(sources[operation.name])}: {program.inside(operation)}'
        counts[sort] += 1
        sizes[sort] += whole
    rows = [
        Traffic(sort, counts[sort], size.in_memory, size.padding) for sort, size in sizes.items()
    ]
    return sorted(rows, key=lambda row: -row.bytes)


def moved(operation: Operation, types: Mapping[str, str]) -> Size:
    """What an operation reads and writes; `types` are those of all results, by name.

    The start of a copy names the copy beside what is copied, and the end moves nothing more.
    """
    if operation.kind in ('copy-start', 'slice-start'):
        texts = [match[0] for match in _ARRAY.finditer(operation.type)]
        copy, original = texts[:2] if operation.kind == 'copy-start' else texts[1::-1]
        there, source = size_of(copy), size_of(original)
        read = Size(
            0, *(n * there.numbers // source.numbers for n in (source.in_memory, source.padding))
        )
        return read + there
    result, operands = operation.type, operation.operands
    if operation.kind == ASIDE:  # Its type is ((operands), result, (scratch)).
        result, operands = elements(result)[1], operands[1:]  # The first is its start.
    whole = size_of(result)
    for operand in operands:
        whole += size_of(types.get(operand, ''))
    return whole


def elements(type_text: str) -> list[str]:
    """The types in the type of a tuple, such as '((f32[8], s32[]), f32[4])'."""
    out, depth = [''], 0
    for letter in type_text.strip()[1:-1]:
        depth += (letter in '([{') - (letter in ')]}')
        if letter == ',' and not depth:
            out.append('')
        else:
            out[-1] += letter
    return [element.strip() for element in out]


def part_of(source: str) -> str:
    """The part of the network that a JAX operation belongs to, by the names of modules."""
    modules = _MODULE.search(source)
    if not modules:
        return 'other'
    method = _METHOD.search(source, modules.end())
    return ' '.join(filter(None, (modules[0], method[1] if method else '')))


def collectives(program: Program) -> dict[str, dict[str, int]]:
    """How often devices exchange arrays: kind -> {'count', 'bytes'} of the results."""
    exchanges: dict[str, dict[str, int]] = {}
    for operation in program.operations():
        kind = operation.kind.removesuffix('-start')
        if kind in COLLECTIVES:
            entry = exchanges.setdefault(kind, {'count': 0, 'bytes': 0})
            entry['count'] += 1
            entry['bytes'] += size_of(operation.type).numbers
    return exchanges


def loops(program: Program) -> int:
    """How many loops the program has that XLA did not unroll."""
    return sum(operation.kind == 'while' for operation in program.operations())
