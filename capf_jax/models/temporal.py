"""CA-PF-S: Context-Aware PoseFormer over the frames of a window (paper, appendix C).

Every frame passes the lifter's own modules. Then each joint looks at itself over the F frames, and
a weighted mean of the frames gives the one pose of the window's target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.models.lifter import Lifter
from capf_jax.models.transformer import TransformerBlock, dense, drop_path_rates
from capf_jax.pose.batch import Array


class TemporalLifter(Lifter):
    """2D joints and context of F frames -> the 3D joints of one of them.

    The paper's CA-PF-S has C = 32, no deformable extraction, and neither a temporal position
    embedding nor a norm after the temporal blocks. With `deformable` the whole lifter runs on every
    frame. With one frame there is nothing to relate in time: the network then is `Lifter`, with the
    same parameters and the same poses.

    Attributes:
      frames: frames F of one window.
      temporal_layers: temporal blocks.
      temporal_heads: heads of temporal attention.
      temporal_position: whether a learnt position embedding tells the frames apart before the
        temporal blocks; the paper has none.
    """

    frames: int = 27
    temporal_layers: int = 4
    temporal_heads: int = 8
    temporal_position: bool = False

    def setup(self) -> None:
        """The parts that work over the frames; see `relate_frames`."""
        super().setup()
        if self.frames == 1:
            return
        if self.temporal_position:
            zeros, shape = nn.initializers.zeros, (self.frames, self.width)
            self.position_in_time = self.param('temporal_position_embedding', zeros, shape)
        self.temporal = [
            # A joint stands for itself here, as the published blocks see samples times joints.
            TransformerBlock(self.temporal_heads, self.mlp_ratio, rate, self.dtype, 2)
            for rate in drop_path_rates(self.drop_path, self.temporal_layers)
        ]
        self.frame_mean = dense(self.frames, 1)

    @nn.compact
    def __call__(
        self,
        joints2d: Float[Array, 'rows _ _'],
        joints2d_crop: Float[Array, 'rows J 2'],
        maps: Sequence[Float[Array, 'rows _ _ _']],
        contexts: Sequence[Float[Array, 'rows J _']] | None = None,
        doubt: Float[Array, 'rows J'] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Float[jax.Array, 'B J 3'], dict[str, Any]]:
        """Lifts the target frame of every window.

        Args:
          joints2d: as for `Lifter`, and so the others; all have B * F people. Row b * F + f is
            frame f of window b, and the frames of a window are in the order of time.
          joints2d_crop: see there.
          maps: see there.
          contexts: see there.
          doubt: see there.
          train: whether drop path acts, from the random stream `drop_path`.

        Returns:
          pose: [B, J, 3] metres, relative to the root joint, in the frame of the targets.
          intermediates: those of `Lifter`, of B * F people, and `frames` [B, J, F, D], the tokens
            after the temporal blocks; at F = 1 there are none.

        Raises:
          UserError: as `Lifter`, or the rows are no whole windows.
        """
        tokens, intermediates = self.encode(joints2d, joints2d_crop, maps, contexts, train, doubt)
        if tokens.shape[0] % self.frames:
            raise UserError(
                f'the sequence lifter got {len(tokens)} people, which are no whole windows of '
                f'{self.frames} frames'
            )
        windows = tokens.reshape(-1, self.frames, *tokens.shape[1:])
        x, over_time = self.relate_frames(windows, train=train)
        return self.regress(x), {**intermediates, **over_time}

    def relate_frames(
        self, tokens: Float[Array, 'B F J D'], *, train: bool = False
    ) -> tuple[Float[jax.Array, 'B J D'], dict[str, Any]]:
        """Temporal modelling: attention among the F tokens of each joint, and a weighted mean.

        The mean is the paper's 1x1 convolution over the frames, F to 1.

        Args:
          tokens: what `encode` gives for every frame.
          train: whether drop path acts.
        """
        if self.frames == 1:
            return jnp.asarray(tokens[:, 0]), {}
        x = jnp.swapaxes(tokens, 1, 2)  # [B, J, F, D]
        if self.temporal_position:
            x = (x + self.position_in_time).astype(self.dtype)
        for block in self.temporal:
            x = block(x, train=train)
        mean = self.frame_mean(x.swapaxes(2, 3).astype(jnp.float32))[..., 0]
        return mean, {'frames': x}

    def over_time(self, tokens: Float[Array, 'B F J D']) -> Float[jax.Array, 'B J 3']:
        """The poses of windows whose frames `of_one_frame` has encoded already."""
        return self.regress(self.relate_frames(tokens)[0])

    @nn.nowrap
    def of_one_frame(self) -> Lifter:
        """The lifter of a single frame, to be run on the same parameters.

        Its intermediate `joints` [B, J, D] is what `over_time` takes for each frame. A stream keeps
        it, so that a new frame is encoded once and not in each of its F windows.
        """
        fields = {name: getattr(self, name) for name in Lifter.__dataclass_fields__}
        own = {name: value for name, value in fields.items() if name not in _FLAX}
        return Lifter(**own, parent=None)


_FLAX = ('parent', 'name')  # what every Flax module has beside its own fields
