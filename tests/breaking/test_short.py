"""The short form of `python -m tests.breaking`: some of its cases, in this process."""

import collections
import importlib

import pytest

from capf_jax.runtime import commands
from tests.breaking import kinds
from tests.breaking.runner import REFUSED
from tests.breaking.world import World

EVERY = {'flags': 60, 'config files': 8, 'own data': 15, 'weights': 12}  # one case in so many


@pytest.mark.parametrize('kind', EVERY)
def test_some_cases_of_every_cheap_kind_end_in_a_sentence(kind, tmp_path):
    world = World(tmp_path)
    cases = [case for case in kinds.KINDS[kind](world) if case.expected == REFUSED]
    assert max(collections.Counter(case.name for case in cases).values()) == 1
    if kind == 'weights':  # The others evaluate on a dataset.
        cases = [case for case in cases if case.command in ('inspect', 'convert')]
    for case in cases[:: EVERY[kind]]:
        case.prepare()
        main = importlib.import_module(commands.COMMANDS[case.command]).main
        with pytest.raises(Exception) as caught:  # noqa: PT011 (judged below)
            main([case.command, *case.arguments])
        assert commands.is_expected(caught.value), case.name
        assert case.sentence in commands.sentence(caught.value), case.name
