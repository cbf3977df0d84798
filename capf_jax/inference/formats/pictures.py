"""The pictures that belong to tracks, for formats that show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

# Gives the T pictures of `Tracks` in their order, [H, W, 3] uint8 RGB; each call begins anew, so
# that two formats can read them one after the other without all of them in memory.
Pictures = Callable[[], Iterable[np.ndarray]]
