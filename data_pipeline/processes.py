"""What every part of the data pipeline that starts processes needs."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator


@contextlib.contextmanager
def hidden_main() -> Iterator[None]:
    """Processes started within do not import the program that runs.

    They need none of it: training would bring JAX into each of them, and a script that lacks an
    `if __name__ == '__main__'` would start to build its dataset once more in each.
    """
    main = sys.modules['__main__']
    sys.modules['__main__'] = types.ModuleType('__main__')
    try:
        yield
    finally:
        sys.modules['__main__'] = main
