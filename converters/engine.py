"""One strict engine: a table of PyTorch keys -> Flax paths turns a state dict into a Flax tree.

A model's table lists one `Rule` for every PyTorch key. Nothing is guessed and nothing is left
over: every key of the state dict, every rule and every leaf of the Flax tree must meet, in number
and in shape, or one error lists all that do not.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

Path = tuple[str, ...]
COUNTER = 'num_batches_tracked'  # of every PyTorch BatchNorm: int64, where all else is float32
HALF_PRECISION = (np.float16, jnp.bfloat16)
LISTED = 40  # problems of each kind that an error lists


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
      path: the Flax leaf that it fills, collection first; None where the key is known and
        deliberately dropped, which a file may then also do without.
      layout: the change of layout.
      reason: why it is dropped.
      shape: of a dropped key that published code asks for, so that the way back can give it; None
        where the way back leaves the key out.
    """

    key: str
    path: Path | None
    layout: Layout = SAME
    reason: str = 'not used here'
    shape: tuple[int, ...] | None = None


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
      rules: the model's table, one rule a key.
      expected: the Flax variables, nested, leaves with `.shape` and `.dtype`, for example from
        `jax.eval_shape(model.init, ...)`.
      name: what is converted, for the error.
      consume: take every array out of `state`, a dict then, as it is converted, so that a file's
        weights never lie in memory twice.

    Returns:
      Nested dict like `expected`, of contiguous numpy arrays; half precision stays what it is.

    Raises:
      ValueError: one error that lists missing, unexpected and mis-shaped keys, and those that hold
        no floating-point numbers.
    """
    rules = _by_key(rules)
    take = state.pop if consume else state.__getitem__
    leaves = _flatten(expected)
    kept = {rule.path: rule for rule in rules.values() if rule.path is not None}
    shapes = {key: np.shape(array) for key, array in state.items()}
    problems = _unmatched_keys(shapes, rules)
    problems['no PyTorch key fills'] = ['/'.join(path) for path in leaves if path not in kept]
    problems['not in the Flax model'] = [
        f'{rule.key} -> {"/".join(path)}' for path, rule in kept.items() if path not in leaves
    ]
    problems['shape'] = [
        f'{rule.key} is {shapes[rule.key]}, it should be {_torch_shape(rule, leaves[path].shape)}'
        for path, rule in kept.items()
        if path in leaves
        and rule.key in shapes
        and shapes[rule.key] != _torch_shape(rule, leaves[path].shape)
    ]
    problems['type'] = [
        f'{key} holds {state[key].dtype} numbers, weights are floating-point'
        for key, rule in rules.items()
        if rule.path is not None
        and isinstance(state.get(key), np.ndarray)
        and not jnp.issubdtype(state[key].dtype, jnp.floating)
    ]
    if any(problems.values()):
        raise ValueError(_report(name, problems))
    result = {}
    for path, rule in kept.items():
        # In one go: a name for the view would keep the PyTorch array until the next is read.
        result[path] = _stored(rule.layout.to_flax(np.asarray(take(rule.key))), leaves[path].dtype)
    return _nest(result)


def torch_shapes(rules: Iterable[Rule], expected: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The PyTorch keys and shapes of a model; of what its table drops, those it knows a shape of.

    Args:
      rules: the model's table.
      expected: the Flax variables, nested, leaves with `.shape`.
    """
    leaves = _flatten(expected)
    return {
        rule.key: _torch_shape(rule, leaves[rule.path].shape) if rule.path else rule.shape
        for rule in rules
        if rule.path or rule.shape is not None
    }


def dropped(state: Iterable[str], rules: Iterable[Rule]) -> dict[str, list[str]]:
    """The keys of a state dict that its table drops, by reason."""
    state, reasons = set(state), {}
    for rule in rules:
        if rule.path is None and rule.key in state:
            reasons.setdefault(rule.reason, []).append(rule.key)
    return reasons


def set_aside(state: Mapping[str, Any], rules: Iterable[Rule]) -> dict[str, np.ndarray]:
    """Dropped weights that published code asks for: they go back as they came, see `to_torch`."""
    return {
        rule.key: _stored(np.asarray(state[rule.key]), np.float32)
        for rule in rules
        if rule.path is None and rule.shape and np.shape(state.get(rule.key)) == rule.shape
    }


def to_torch(
    variables: Mapping[str, Any],
    rules: Iterable[Rule],
    aside: Mapping[str, np.ndarray] | None = None,
    *,
    consume: bool = False,
) -> dict[str, np.ndarray]:
    """The way back: Flax variables -> PyTorch keys and arrays, in the order of the table.

    Args:
      variables: nested dicts of arrays, every leaf that the table fills.
      rules: the model's table.
      aside: what `set_aside` gave; dropped keys of known shape that are not in it become zeros.
      consume: empty `variables`, dicts then, and let go of every array as it is converted, so that
        the weights never lie in memory twice.

    Returns:
      PyTorch key -> contiguous array, of the variables' own memory where no layout changes.

    Raises:
      ValueError: one error that lists every leaf or rule without its counterpart.
    """
    rules, leaves, aside = _by_key(rules), _flatten(variables), aside or {}
    kept = {rule.path: rule for rule in rules.values() if rule.path is not None}
    unmatched = sorted('/'.join(path) for path in leaves.keys() ^ kept.keys())
    if unmatched:
        raise ValueError(
            'these leaves are in the table or in the variables, not both: ' + ', '.join(unmatched)
        )
    if consume:
        _empty(variables)
    state = {}
    for key, rule in rules.items():
        if rule.path is not None:
            # In one go: a name for the view would keep the Flax array until the next is read.
            state[key] = np.asarray(
                rule.layout.to_torch(np.asarray(leaves.pop(rule.path))), order='C'
            )
        elif rule.shape is not None:
            kind = np.int64 if key.endswith(COUNTER) else np.float32
            state[key] = aside.get(key, np.zeros(rule.shape, kind))
    return state


def _stored(array, dtype):
    """An array of `dtype`; but half precision stays, since twice the size would hold no more."""
    return np.asarray(array, array.dtype if array.dtype in HALF_PRECISION else dtype, order='C')


def _torch_shape(rule, flax_shape):
    """The shape in PyTorch of what fills a Flax leaf of this shape."""
    return rule.layout.to_torch(np.broadcast_to(np.False_, flax_shape)).shape


def _unmatched_keys(keys, rules):
    """Keys of a state dict and of a table that do not meet, by kind of problem."""
    wanted = [key for key, rule in rules.items() if rule.path is not None]
    return {
        'missing': [key for key in wanted if key not in keys],
        'unexpected': [key for key in keys if key not in rules],
    }


def _report(name, problems):
    """One error text that lists all problems; only the first `LISTED` of each kind."""
    lines = []
    for kind, found in problems.items():
        lines += [f'{kind}: {one}' for one in found[:LISTED]]
        if len(found) > LISTED:
            lines.append(f'{kind}: {len(found) - LISTED} more')
    count = sum(len(found) for found in problems.values())
    return '\n  '.join([f'{name} cannot be converted, {count} problems:', *lines])


def _by_key(rules):
    """Rules by PyTorch key; ValueError where two share a key or a Flax leaf."""
    rules = list(rules)
    for what, names in (
        ('PyTorch key', [rule.key for rule in rules]),
        ('Flax leaf', [rule.path for rule in rules if rule.path is not None]),
    ):
        counts = collections.Counter(names)
        double = sorted(str(name) for name, count in counts.items() if count > 1)
        if double:
            raise ValueError(f'the table names a {what} twice: {", ".join(double)}')
    return {rule.key: rule for rule in rules}


def _flatten(tree, prefix=()):
    """Nested mapping -> {path: leaf}."""
    leaves = {}
    for name, value in tree.items():
        path = (*prefix, name)
        leaves.update(_flatten(value, path) if isinstance(value, Mapping) else {path: value})
    return leaves


def _empty(tree):
    """Takes every leaf out of a nested dict."""
    for value in tree.values():
        if isinstance(value, Mapping):
            _empty(value)
    tree.clear()


def _nest(leaves):
    """{path: leaf} -> nested dict."""
    tree = {}
    for path, leaf in leaves.items():
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = leaf
    return tree
