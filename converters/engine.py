"""One strict engine: a table of PyTorch keys -> Flax paths turns a state dict into a Flax tree.

A model's table lists one `Rule` for every PyTorch key. Nothing is guessed and nothing is left
over: every key of the state dict, every rule and every leaf of the Flax tree must meet, in number
and in shape, or one error lists all that do not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

Path = tuple[str, ...]


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
    """One PyTorch key, the Flax leaf it fills (collection first), and the change of layout.

    `path` None says that the key is known and deliberately dropped.
    """

    key: str
    path: Path | None
    layout: Layout = SAME


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
        Rule(f'{key}.num_batches_tracked', None),
    ]


def to_flax(
    state: Mapping[str, Any], rules: Iterable[Rule], expected: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Converts a PyTorch state dict.

    Args:
      state: PyTorch key -> array (anything `numpy.asarray` takes).
      rules: the model's table, one rule a key.
      expected: the Flax variables, nested, leaves with `.shape` and `.dtype`, for example from
        `jax.eval_shape(model.init, ...)`.
      name: what is converted, for the error.

    Returns:
      Nested dict like `expected`, of numpy arrays.

    Raises:
      ValueError: one error that lists every missing, unexpected and mis-shaped key.
    """
    rules = _by_key(rules)
    leaves = _flatten(expected)
    kept = {rule.path: rule for rule in rules.values() if rule.path is not None}
    problems = [f'missing: {key}' for key in rules if key not in state]
    problems += [f'unexpected: {key}' for key in state if key not in rules]
    problems += [f'no PyTorch key fills: {"/".join(path)}' for path in leaves if path not in kept]
    result = {}
    for path, rule in kept.items():
        if path not in leaves:
            problems.append(f'not in the Flax model: {rule.key} -> {"/".join(path)}')
        elif rule.key in state:
            array = np.asarray(state[rule.key])
            wanted = rule.layout.to_torch(np.empty(leaves[path].shape, np.bool_)).shape
            if array.shape != wanted:
                problems.append(f'shape: {rule.key} is {array.shape}, it should be {wanted}')
            else:
                flax_array = np.ascontiguousarray(rule.layout.to_flax(array))
                result[path] = flax_array.astype(leaves[path].dtype)
    if problems:
        listed = '\n  '.join(problems)
        raise ValueError(f'{name} cannot be converted, {len(problems)} problems:\n  {listed}')
    return _nest(result)


def to_torch(variables: Mapping[str, Any], rules: Iterable[Rule]) -> dict[str, np.ndarray]:
    """The way back: Flax variables -> PyTorch keys and arrays; dropped keys stay out.

    Raises:
      ValueError: one error that lists every leaf or rule without its counterpart.
    """
    leaves = _flatten(variables)
    kept = {rule.path: rule for rule in _by_key(rules).values() if rule.path is not None}
    unmatched = sorted('/'.join(path) for path in leaves.keys() ^ kept.keys())
    if unmatched:
        raise ValueError(
            'these leaves are in the table or in the variables, not both: ' + ', '.join(unmatched)
        )
    return {rule.key: rule.layout.to_torch(np.asarray(leaves[p])) for p, rule in kept.items()}


def _by_key(rules):
    """Rules by PyTorch key; ValueError where two share a key or a Flax leaf."""
    rules = list(rules)
    for what, names in (
        ('PyTorch key', [rule.key for rule in rules]),
        ('Flax leaf', [rule.path for rule in rules if rule.path is not None]),
    ):
        double = sorted({str(name) for name in names if names.count(name) > 1})
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


def _nest(leaves):
    """{path: leaf} -> nested dict."""
    tree = {}
    for path, leaf in leaves.items():
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = leaf
    return tree
