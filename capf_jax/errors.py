"""Errors for the user, in one sentence; every room of the project may use this file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """One sentence for the person who typed the command: what is wrong, where, and what to do.

    `runtime.commands.run` prints it without a traceback. A fault of the program's own raises any
    other error, which keeps its traceback.
    """


class StateError(UserError, RuntimeError):
    """A UserError about what the program has met: a damaged dataset, a process that was ended."""


def printable(text: str) -> str:
    """Text out of a file as it can be shown: in one line and without terminal control characters.

    What a terminal would obey, line breaks and lone surrogates are written as Python writes them.
    """
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like `word`.

    In dotted names, such as 'training.batch_size', the likeness of the last part counts twice.

    Args:
      word: what the user wrote.
      known: all words that there are, at least one.
    """

    def likeness(name: str) -> float:
        last = difflib.SequenceMatcher(None, name.split('.')[-1], word.split('.')[-1]).ratio()
        return last + difflib.SequenceMatcher(None, name, word).ratio()

    return max(known, key=likeness)


def unknown(subject: str, word: object, known: Iterable[str]) -> UserError:
    """The error to raise where `word` is none of the known words.

    Args:
      subject: what the word names, such as 'config.data.name'.
      word: what the user wrote; in Python that may be no text at all.
      known: all words that there are.
    """
    known = list(known)
    return UserError(
        f'{subject} is {word!r}; the nearest is {nearest(str(word), known)!r} of {", ".join(known)}'
    )
