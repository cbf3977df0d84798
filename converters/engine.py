"""The strict engine, which makes a Flax tree from a state dict by a table of names.

A model's table lists one `Rule` for every PyTorch key. Nothing is guessed and nothing is left
over: every key of the state dict, every rule and every leaf of the Flax tree must have its
counterpart of the right shape, or one error lists all that do not.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from capf_jax.errors import UserError

Path = tuple[str, ...]
COUNTER = 'num_batches_tracked'  # a leaf of every PyTorch BatchNorm, of type int64
HALF_PRECISION = (np.float16, jnp.bfloat16)
LISTED = 10  # the most problems that an error lists


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a PyTorch array becomes a Flax one, and back."""

    name: str
    to_flax: Callable[[np.ndarray], np.ndarray]
    to_torch: Callable[[np.ndarray], np.ndarray]


SAME = Layout('same', lambda x: x, lambda x: x)
LINEAR = Layout('linear', lambda x: x.T, lambda x: x.T)  # [out, in] -> [in, out]
CONV = Layout(  # [out, in, h, w] -> [h, w, in, out]
    'conv', lambda x: x.transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1)
)
DECONV = Layout(  # transposed convolution [in, out, h, w] -> [h, w, in, out], half a turn
    'deconv',
    lambda x: x[:, :, ::-1, ::-1].transpose(2, 3, 0, 1),
    lambda x: x.transpose(2, 3, 0, 1)[:, :, ::-1, ::-1],
)


@dataclasses.dataclass(frozen=True)
class Rule:
    """One PyTorch key and what becomes of it.

    Attributes:
      key: its name in PyTorch.
      path: the Flax leaf that it fills, collection first; None where the key is dropped on purpose,
        in which case a file may also lack it.
      layout: the change of layout.
      reason: why it is dropped.
      shape: shape of a dropped key that published code asks for, so that an exported file has it;
        None where an exported file lacks the key.
      rows: [start, stop) along the first axis of the leaf's PyTorch array, where the key holds only
        those rows and other rules hold the rest; None where it holds all.
    """

    key: str
    path: Path | None
    layout: Layout = SAME
    reason: str = 'not used here'
    shape: tuple[int, ...] | None = None
    rows: tuple[int, int] | None = None


def linear(key: str, path: Path) -> list[Rule]:
    """A Linear layer `key` -> the Dense module at `path`."""
    return [
        Rule(f'{key}.weight', (*path, 'kernel'), LINEAR),
        Rule(f'{key}.bias', (*path, 'bias')),
    ]


def layer_norm(key: str, path: Path) -> list[Rule]:
    """A LayerNorm `key` -> the LayerNorm module at `path`."""
    return [Rule(f'{key}.weight', (*path, 'scale')), Rule(f'{key}.bias', (*path, 'bias'))]


def conv(key: str, path: Path, bias: bool = False) -> list[Rule]:
    """A Conv2d `key` -> the Conv module at `path`."""
    rules = [Rule(f'{key}.weight', (*path, 'kernel'), CONV)]
    return [*rules, Rule(f'{key}.bias', (*path, 'bias'))] if bias else rules


def batch_norm(key: str, path: Path) -> list[Rule]:
    """A BatchNorm2d `key` -> the BatchNorm module at `path`, given without its collection."""
    return [
        Rule(f'{key}.weight', ('params', *path, 'scale')),
        Rule(f'{key}.bias', ('params', *path, 'bias')),
        Rule(f'{key}.running_mean', ('batch_stats', *path, 'mean')),
        Rule(f'{key}.running_var', ('batch_stats', *path, 'var')),
        Rule(f'{key}.{COUNTER}', None, reason='counts of training batches, never read', shape=()),
    ]


def to_flax(
    state: Mapping[str, Any],
    rules: Iterable[Rule],
    expected: Mapping[str, Any],
    name: str,
    *,
    consume: bool = False,
) -> dict[str, Any]:
    """Converts a PyTorch state dict.

    Args:
      state: PyTorch key -> array (anything `numpy.asarray` takes).
      rules: the model's table.
      expected: the Flax variables, nested, leaves with `.shape` and `.dtype`, for example from
        `jax.eval_shape(model.init, ...)`.
      name: what is converted, for the error.
      consume: whether to take every array out of `state`, which is a dict then, as it is converted,
        so that a file's weights never lie in memory twice.

    Returns:
      Nested dict like `expected`, of contiguous NumPy arrays; half precision stays what it is.

    Raises:
      UserError: one error about all missing, unexpected and mis-shaped keys, and those that hold
        no floating-point numbers.
    """
    rules = list(rules)
    problems = differences(state, rules, expected)
    if any(problems.values()):
        raise UserError(report(name, problems))
    leaves: dict[Path, Any] = flatten_dict(expected)
    take = state.pop if consume and isinstance(state, dict) else state.__getitem__
    result = {}
    for path, parts in _by_path(rules).items():
        # No variable holds the array that is read, since that would keep it until the next is read.
        result[path] = _stored(
            parts[0].layout.to_flax(_joined([np.asarray(take(rule.key)) for rule in parts])),
            leaves[path].dtype,
        )
    return unflatten_dict(result)


def differences(
    state: Mapping[str, Any], rules: Iterable[Rule], expected: Mapping[str, Any]
) -> dict[str, list[str]]:
    """What keeps a state dict from being a model's, by kind of problem; arguments as of `to_flax`.

    Every kind is there; where all its lists are empty, the state dict fits.
    """
    by_key = _by_key(rules)
    leaves: dict[Path, Any] = flatten_dict(expected)
    kept = [rule for rule in by_key.values() if rule.path is not None]
    filled = {rule.path for rule in kept}
    shapes = {key: np.shape(array) for key, array in state.items()}
    problems = _unmatched_keys(shapes, by_key)
    problems['no PyTorch key fills'] = ['/'.join(path) for path in leaves if path not in filled]
    problems['not in the Flax model'] = [
        f'{rule.key} -> {"/".join(rule.path)}'
        for rule in kept
        if rule.path is not None and rule.path not in leaves
    ]
    problems['shape'] = [
        f'{rule.key} is {shapes[rule.key]}, it should be {shape}'
        for rule in kept
        if rule.path in leaves
        and rule.key in shapes
        and shapes[rule.key] != (shape := _torch_shape(rule, leaves[rule.path].shape))
    ]
    problems['type'] = [
        f'{rule.key} holds {state[rule.key].dtype} numbers, weights are floating-point'
        for rule in kept
        if isinstance(state.get(rule.key), np.ndarray)
        and not jnp.issubdtype(state[rule.key].dtype, jnp.floating)
    ]
    return problems


def torch_shapes(rules: Iterable[Rule], expected: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The PyTorch keys and shapes of a model, with those dropped keys that have a shape.

    Args:
      rules: the model's table.
      expected: the Flax variables, nested, leaves with `.shape`.
    """
    leaves: dict[Path, Any] = flatten_dict(expected)
    shapes = {}
    for rule in rules:
        if rule.path is not None:
            shapes[rule.key] = _torch_shape(rule, leaves[rule.path].shape)
        elif rule.shape is not None:
            shapes[rule.key] = rule.shape
    return shapes


def dropped(state: Iterable[str], rules: Iterable[Rule]) -> dict[str, list[str]]:
    """The keys of a state dict that its table drops, by reason."""
    keys = set(state)
    reasons: dict[str, list[str]] = {}
    for rule in rules:
        if rule.path is None and rule.key in keys:
            reasons.setdefault(rule.reason, []).append(rule.key)
    return reasons


def set_aside(state: Mapping[str, Any], rules: Iterable[Rule]) -> dict[str, np.ndarray]:
    """The dropped weights that published code asks for, so that `to_torch` can give them back."""
    return {
        rule.key: _stored(np.asarray(state[rule.key]), np.float32)
        for rule in rules
        if rule.path is None
        and rule.shape
        and rule.key in state
        and np.shape(state[rule.key]) == rule.shape
    }


def to_torch(
    variables: Mapping[str, Any],
    rules: Iterable[Rule],
    aside: Mapping[str, np.ndarray] | None = None,
    *,
    consume: bool = False,
) -> dict[str, np.ndarray]:
    """Converts Flax variables back to PyTorch keys and arrays, in the order of the table.

    Args:
      variables: nested dicts of arrays, every leaf that the table fills.
      rules: the model's table.
      aside: what `set_aside` gave; dropped keys that have a shape and are not in it become zeros.
      consume: whether to empty `variables`, which are dicts then, and to let go of every array as
        it is converted, so that the weights never lie in memory twice.

    Returns:
      PyTorch key -> contiguous array, in the memory of the variables where no layout changes.

    Raises:
      ValueError: one error that lists every leaf or rule without its counterpart.
    """
    by_key, aside = _by_key(rules), aside or {}
    leaves: dict[Path, Any] = flatten_dict(variables)
    filled = {rule.path for rule in by_key.values() if rule.path is not None}
    unmatched = sorted('/'.join(path) for path in leaves.keys() ^ filled)
    if unmatched:
        raise ValueError(
            'these leaves are in the table or in the variables, not both: ' + ', '.join(unmatched)
        )
    if consume:
        _empty(variables)
    users = collections.Counter(rule.path for rule in by_key.values())
    state = {}
    for key, rule in by_key.items():
        if rule.path is not None:
            users[rule.path] -= 1
            take = leaves.__getitem__ if users[rule.path] else leaves.pop
            # No variable holds the array that is read, which would keep it until the next is read.
            state[key] = np.asarray(
                _rows(rule, rule.layout.to_torch(np.asarray(take(rule.path)))), order='C'
            )
        elif rule.shape is not None:
            kind = np.int64 if key.endswith(COUNTER) else np.float32
            state[key] = aside.get(key, np.zeros(rule.shape, kind))
    return state


def _stored(array: np.ndarray, dtype: Any) -> np.ndarray:
    """An array of `dtype`; half precision stays, since a larger type would hold nothing more."""
    return np.asarray(array, array.dtype if array.dtype in HALF_PRECISION else dtype, order='C')


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """The rows of a leaf's PyTorch array, from all keys that hold some of them."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _rows(rule: Rule, array: np.ndarray) -> np.ndarray:
    """Those rows of a leaf's PyTorch array that the rule's key holds."""
    return array if rule.rows is None else array[slice(*rule.rows)]


def _torch_shape(rule: Rule, flax_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the PyTorch array that fills a Flax leaf of this shape, or the rule's rows."""
    return _rows(rule, rule.layout.to_torch(np.broadcast_to(np.False_, flax_shape))).shape


def _unmatched_keys(keys: Iterable[str], rules: Mapping[str, Rule]) -> dict[str, list[str]]:
    """Keys of a state dict and of a table that do not meet, by kind of problem."""
    keys = dict.fromkeys(keys)
    needed = [key for key, rule in rules.items() if rule.path is not None]
    return {
        'missing': [key for key in needed if key not in keys],
        'unexpected': [key for key in keys if key not in rules],
    }


def report(name: str, problems: Mapping[str, list[str]], advice: str = '') -> str:
    """The text of the error about what `differences` gives, of which it lists the first few.

    Args:
      name: what cannot be converted.
      problems: the differences; of each kind as many are listed as of the others.
      advice: what the user can do.
    """
    problems = {kind: ones for kind, ones in problems.items() if ones}
    count = sum(map(len, problems.values()))
    # The kinds take turns, so that a long list of one kind hides no other.
    turns = [(turn, kind) for kind, ones in problems.items() for turn in range(len(ones))]
    listed = collections.Counter(
        kind for _, kind in sorted(turns, key=lambda pair: pair[0])[:LISTED]
    )
    lines = [f'{kind}: {one}' for kind, ones in problems.items() for one in ones[: listed[kind]]]
    if count > LISTED:
        rest = {kind: len(ones) - listed[kind] for kind, ones in problems.items()}
        lines.append('and ' + ', '.join(f'{n} more {kind}' for kind, n in rest.items() if n))
    head = f'{name} cannot be converted, {count} problem{"s" if count > 1 else ""}:'
    return '\n  '.join([head, *lines]) + (f'\n{advice}' if advice else '')


def _by_path(rules: Iterable[Rule]) -> dict[Path, list[Rule]]:
    """The rules that fill each Flax leaf, in the order of their rows."""
    by_path: dict[Path, list[Rule]] = {}
    for rule in sorted(rules, key=lambda rule: rule.rows or (0, 0)):
        if rule.path is not None:
            by_path.setdefault(rule.path, []).append(rule)
    return by_path


def _by_key(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Rules by PyTorch key.

    Raises:
      ValueError: two rules share a key or the first row of a Flax leaf, which is a fault of the
        table.
    """
    rules = list(rules)
    first = [rule for rule in rules if rule.rows is None or rule.rows[0] == 0]
    for what, names in (
        ('PyTorch key', [rule.key for rule in rules]),
        ('Flax leaf', [rule.path for rule in first if rule.path is not None]),
    ):
        counts = collections.Counter(names)
        double = sorted(str(name) for name, count in counts.items() if count > 1)
        if double:
            raise ValueError(f'the table names a {what} twice: {", ".join(double)}')
    return {rule.key: rule for rule in rules}


def _empty(tree: Any) -> None:
    """Takes every leaf out of nested dicts."""
    for value in tree.values():
        if isinstance(value, Mapping):
            _empty(value)
    tree.clear()
