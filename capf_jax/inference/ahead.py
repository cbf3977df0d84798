"""Compiles the networks of a prediction ahead, side by side, while the process does other things.

A network is compiled when it runs for the first time, and most of a fresh process's time goes into
that. Each network is run once on a black picture in a thread of its own, so that the cores share
the compilers' work. Who needs a network before it is ready waits for it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from capf_jax.inference.person_boxes import THUMBNAIL, Finder
from capf_jax.inference.photograph_models import Models


def compile_lifter(models: Models, afterwards: Callable[[], None]) -> None:
    """Starts to compile the networks of a lifter that finds its own 2D joints.

    Others, whose detector is another file or which lift sequences, are compiled when they are
    needed.

    Args:
      models: the networks.
      afterwards: is called when they are ready, for what would hold up the compilers before; of
        several networks that are compiled ahead, those which were begun first are ready first.
    """
    size = models.lifter.crop_size
    if not models.lifts_own_joints or models.lifts_sequences or size is None:
        afterwards()
        return
    crops = np.zeros((1, *size, 3), np.uint8)
    _run_aside(lambda: models.lifter.lift_crops(crops, flip_test=False), afterwards)


def compile_finder(finder: Finder) -> None:
    """Starts to compile the finder of people."""
    picture = np.zeros((THUMBNAIL, THUMBNAIL, 3), np.uint8)
    _run_aside(lambda: finder.find(picture))


def _run_aside(function: Callable[[], Any], afterwards: Callable[[], None] = lambda: None) -> None:
    def run() -> None:
        # What goes wrong here goes wrong again, and is told, when the network is used.
        with contextlib.suppress(Exception):
            function()
        with contextlib.suppress(RuntimeError):  # The command may have ended in the meantime.
            afterwards()

    threading.Thread(target=run).start()
