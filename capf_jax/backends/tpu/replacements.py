"""A TPU's methods in place of the models' own, on the same parameters."""

from __future__ import annotations

from contextlib import AbstractContextManager

from capf_jax.backends.interception import Replacements, replaced
from capf_jax.backends.tpu import attention, sampling
from capf_jax.models.deformable import DeformableBlock
from capf_jax.models.lifter import Lifter
from capf_jax.models.temporal import TemporalLifter
from capf_jax.models.transformer import SelfAttention

REPLACEMENTS: Replacements = {
    (Lifter, 'context'): sampling.context,
    (TemporalLifter, 'context'): sampling.context,
    (DeformableBlock, 'attended'): sampling.attended,
    (SelfAttention, '__call__'): attention.self_attention,
}


def active() -> AbstractContextManager[None]:
    """Calls of Flax modules inside run a TPU's methods; see `interception.replaced`."""
    return replaced(REPLACEMENTS)
