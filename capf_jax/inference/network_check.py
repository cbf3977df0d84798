"""Whether the tensors of a weight file are those of the network that it describes.

A network is traced for that, which takes a third of a second, and a first photograph needs three of
them. What the check of the files in pretrained/ gave is therefore listed beside this module; every
other file is checked as it is read. A test says when the list is out of date, and this writes it
anew:

    python -m capf_jax.inference.network_check
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax

from capf_jax.backends import stored
from capf_jax.errors import UserError
from capf_jax.inference.weight_files import PRETRAINED, differing_tensors, load_weights
from capf_jax.runtime import files

LIST = pathlib.Path(__file__).with_name('checked_networks.json')
_records: list[dict[str, Any]] = []  # at most one: see `recorded`


def check(
    variables: Mapping[str, Any], module: nn.Module, *inputs: Any
) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Checks that variables are those of a module, in names and shapes.

    Returns:
      The shapes of the feature maps that the module gives for these inputs; none if it is no
      detector.

    Raises:
      UserError: they are not.
    """
    digest = stored.digest(module, (variables, inputs))
    maps = None if _records or digest is None else _listed().get(digest)
    if maps is None:
        maps = _traced_maps(variables, module, inputs)
        if _records and digest is not None:
            _records[0][digest] = maps
    return tuple(jax.ShapeDtypeStruct(tuple(shape), dtype) for shape, dtype in maps)


@contextlib.contextmanager
def recorded() -> Iterator[dict[str, Any]]:
    """Inside nothing is on the list; gives the results of the checks there, as the list would."""
    _records.append({})
    try:
        yield _records[0]
    finally:
        _records.clear()


def check_pretrained() -> dict[str, Any]:
    """Checks the networks of every file in pretrained/, and gives the list that belongs to them."""
    from capf_jax.inference.estimator import Estimator
    from capf_jax.inference.people_finder import KIND, PeopleFinder

    with recorded() as results:
        for path in sorted(PRETRAINED.glob('*.safetensors')):
            _, metadata = load_weights(path)
            (PeopleFinder if metadata['kind'] == KIND else Estimator).load(path)
    return results


def _traced_maps(
    variables: Mapping[str, Any], module: nn.Module, inputs: tuple[Any, ...]
) -> list[Any]:
    """See `check`; the shapes of the maps as JSON."""
    different: list[str] = []

    def shapes() -> dict[str, Any]:
        # It is traced for its variables and for its maps at once.
        output, expected = jax.eval_shape(module.init_with_output, jax.random.key(0), *inputs)
        different.extend(differing_tensors(variables, expected))
        maps = [[list(one.shape), str(one.dtype)] for one in getattr(output, 'maps', ())]
        return {} if different else {'maps': maps}

    fitting = stored.result('check', module, (variables, inputs), shapes)
    if not fitting:
        raise UserError(
            f'its tensors are not those of the model that it describes: {len(different)} differ, '
            f'first {different[0]}; convert or train it again'
        )
    return fitting['maps']


@functools.cache
def _listed() -> dict[str, Any]:
    return files.read_json(LIST)


if __name__ == '__main__':
    # The module that `networks` uses, which is another one than this one, `__main__`.
    from capf_jax.inference import network_check

    files.write_json(LIST, network_check.check_pretrained())
    print(f'{LIST} is written')
