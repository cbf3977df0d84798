"""The CPU's own methods in place of those of the models, while a program is traced."""

from __future__ import annotations

from contextlib import AbstractContextManager

from capf_jax.backends.cpu import detector_modules, lifter_modules
from capf_jax.backends.interception import Replacements, replaced

REPLACEMENTS: Replacements = {**lifter_modules.REPLACEMENTS, **detector_modules.REPLACEMENTS}


def active() -> AbstractContextManager[None]:
    """Calls of Flax modules inside run the CPU's methods; see `interception.replaced`."""
    return replaced(REPLACEMENTS)
