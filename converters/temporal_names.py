"""PyTorch names of CA-PF-S -> our TemporalLifter's.

They are the published lifter's, with nothing before them, and two that it does not have: those of
the temporal blocks and of the 1x1 convolution over the frames. What these two were called in files
of the authors is not known here; `recognise` reads them off the shapes, and a file that is exported
from a run of ours has `NAMES`.
"""

from __future__ import annotations

from typing import NamedTuple

from capf_jax.models.temporal import TemporalLifter
from converters.engine import Layout, Rule
from converters.lifter_names import lifter_rules, transformer

# [1, F, 1] -> [F, 1]; [1, F, D] -> [F, D]
_FRAMES = Layout('frames', lambda x: x[0], lambda x: x[None])


class TemporalNames(NamedTuple):
    """What a state dict calls the parts that single-frame lifters do not have.

    Attributes:
      blocks: of the temporal blocks, before their numbers.
      mean: of the convolution over the frames.
    """

    blocks: str = 'temporal_blocks'
    mean: str = 'weighted_mean'


NAMES = TemporalNames()
POSITION = 'Temporal_pos_embed'  # ours, after PoseFormer's: the published model has none


def temporal_rules(lifter: TemporalLifter, names: TemporalNames = NAMES) -> list[Rule]:
    """The table of one CA-PF-S's keys.

    Raises:
      UserError: the ablation step is 0 or 1.
    """
    rules = lifter_rules(lifter, prefix='')
    if lifter.frames == 1:
        return rules
    mean = ('params', 'frame_mean')
    rules += [
        Rule(f'{names.mean}.weight', (*mean, 'kernel'), _FRAMES),
        Rule(f'{names.mean}.bias', (*mean, 'bias')),
    ]
    if lifter.temporal_position:
        rules.append(Rule(POSITION, ('params', 'temporal_position_embedding'), _FRAMES))
    for layer in range(lifter.temporal_layers):
        rules += transformer(f'{names.blocks}.{layer}', f'temporal_{layer}')
    return rules
