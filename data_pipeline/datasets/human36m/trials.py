"""Which of an action's two recordings the H36M-Toolbox calls trial 1, and which trial 2.

The raw files are called 'Directions 1' and 'Directions', or 'Eating 2' and 'Eating', differently
for each subject. Human3.6M's own `metadata.xml` says which is which, if the user has it.
Otherwise the lengths decide: those of two recordings of an action hardly ever agree.
"""

from __future__ import annotations

import itertools
import pathlib
import re
import xml.etree.ElementTree
from collections.abc import Mapping

from capf_jax.errors import UserError
from data_pipeline.datasets.human36m.settings import ACTIONS, FIRST_ACTION, OTHER_NAMES

METADATA = 'metadata.xml'
_NAME = re.compile(r'([A-Za-z]+)(?: (\d))?')
_CLEAR = 0.5  # the better match of lengths must be at most this share of the other's difference


def split_name(raw: str) -> tuple[str, str]:
    """'Photo 1' -> ('TakingPhoto', ' 1'); ('', '') for a name that is no action's."""
    match = _NAME.fullmatch(raw)
    if not match:
        return '', ''
    action = OTHER_NAMES.get(match[1], match[1])
    return (action, raw[len(match[1]) :]) if action in ACTIONS else ('', '')


def from_metadata(path: pathlib.Path) -> dict[tuple[str, str], int]:
    """The trials that Human3.6M's metadata.xml lists.

    Its first row names the subjects; each further one has an action's number, a trial's number
    and then the raw name for every subject.

    Raises:
      UserError: the file has another form.
    """
    try:
        rows = xml.etree.ElementTree.parse(path).getroot().find('mapping')
        if rows is None:
            raise TypeError("'NoneType' object is not iterable")
        cells = [[cell.text or '' for cell in row] for row in rows]
        subjects = cells[0][2:]
        listed = {}
        for number, trial, *names in cells[1:]:
            if not (number.isdecimal() and trial.isdecimal()):
                continue
            if not 0 <= int(number) - FIRST_ACTION < len(ACTIONS):
                continue
            for subject, raw in zip(subjects, names, strict=True):
                listed[subject, canonical(raw)] = int(trial)
    except (xml.etree.ElementTree.ParseError, TypeError, ValueError, IndexError) as error:
        raise UserError(f'{path} is not the metadata.xml of Human3.6M ({error})') from error
    if not listed:
        raise UserError(f'{path} is not the metadata.xml of Human3.6M (it lists no recordings)')
    return listed


def canonical(raw: str) -> str:
    """'Photo 1' -> 'TakingPhoto 1': the raw files' name; '' for one that is no action's."""
    return ''.join(split_name(raw))


def by_length(
    lengths: Mapping[str, Mapping[str, int]], pictures: Mapping[int, Mapping[str, int]]
) -> dict[str, int] | None:
    """Matches an action's recordings with its trials by how long they are.

    Args:
      lengths: raw name -> camera -> labelled frames.
      pictures: trial -> camera -> number of the last picture.

    Returns:
      Raw name -> trial; None where it cannot be told.
    """

    def difference(raw: str, trial: int) -> float:
        common = lengths[raw].keys() & pictures[trial].keys()
        if not common:
            return float('inf')
        return sum(abs(lengths[raw][c] - pictures[trial][c]) for c in common) / len(common)

    names, trials = sorted(lengths), sorted(pictures)
    if len(names) <= len(trials):
        candidates = [list(zip(names, some, strict=True)) for some in _choices(trials, len(names))]
    else:
        candidates = [list(zip(some, trials, strict=True)) for some in _choices(names, len(trials))]
    ranked = sorted((sum(difference(*pair) for pair in pairs), pairs) for pairs in candidates)
    if not ranked or not ranked[0][1]:
        return None
    best, pairs = ranked[0]
    # The only recording may belong to the trial whose folder is missing, so that lengths must agree
    # to 1%.
    other = ranked[1][0] if len(ranked) > 1 else 0.02 * max(lengths[pairs[0][0]].values())
    return dict(pairs) if best <= _CLEAR * other and best < other else None


def _choices(items: list, count: int) -> list[tuple]:
    return list(itertools.permutations(items, count))
