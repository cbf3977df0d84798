"""`ContextProjection`: context vectors made smaller before CA-PF-S sees them (appendix C)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.transformer import dense
from capf_jax.pose.batch import Array


class ContextProjection(nn.Module):
    """The linear layers that embed context in a single-frame lifter, kept for another network.

    CA-PF-S is given 32 numbers for each level and joint that a network has projected before. Its
    parameters have the names that they have in `Lifter`, from whose weights they are taken.

    Attributes:
      levels: which of the detector's maps are projected.
      channels: numbers that each becomes, C of the lifter that the layers come from.
      dtype: of the computation; parameters are float32.
    """

    levels: tuple[int, ...] = (0, 1, 2, 3)
    channels: int = 32
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, contexts: Sequence[Float[Array, 'B J _']]
    ) -> list[Float[jax.Array, 'B J C']]:
        """What each map of the detector shows at the joints -> projected, that of `levels`."""
        projected = []
        for place, level in enumerate(self.levels):
            width = contexts[level].shape[-1]
            name = f'context_embedding_{place}'
            project = dense(width, self.channels, dtype=self.dtype, name=name)
            projected.append(project(contexts[level]).astype(jnp.float32))
        return projected
