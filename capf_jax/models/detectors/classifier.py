"""The head that tells classes of people apart by a detector's maps; it serves training alone."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.pose.batch import Array


class ClassHead(nn.Module):
    """One dense layer on the means of all maps over their pixels.

    All maps enter, and not the coarsest alone, since a lifter samples all of them: of an HRNet the
    finest map is made behind the coarsest, and would stay random.

    Attributes:
      classes: number of classes K.
    """

    classes: int

    @nn.compact
    def __call__(self, maps: Sequence[Float[Array, 'B _ _ _']]) -> Float[jax.Array, 'B K']:
        """Logits [B, K] of maps [B, H / s, W / s, C]. At first all classes are alike."""
        means = [jnp.mean(x.astype(jnp.float32), axis=(1, 2)) for x in maps]
        dense = nn.Dense(self.classes, kernel_init=nn.initializers.zeros, name='dense')
        return dense(jnp.concatenate(means, axis=-1))
