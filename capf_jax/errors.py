"""What a user got wrong, in one sentence; every floor of the house may use this file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """One sentence for the person who typed the command: what is wrong, where, and what to do.

    `runtime.commands.run` prints it without a traceback. Any other error is a fault of ours.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like `word`; in dotted names, likeness of the last part counts first."""

    def likeness(name: str) -> float:
        last = difflib.SequenceMatcher(None, name.split('.')[-1], word.split('.')[-1]).ratio()
        return last + difflib.SequenceMatcher(None, name, word).ratio()

    return max(known, key=likeness)


def unknown(subject: str, word: str, known: Iterable[str]) -> UserError:
    """The error to raise where `word` is none of the known words.

    Args:
      subject: what the word names, such as 'config.data.name'.
      word: what the user wrote.
      known: all words that there are.
    """
    known = list(known)
    return UserError(
        f'{subject} is {word!r}; the nearest is {nearest(word, known)!r} of {", ".join(known)}'
    )
