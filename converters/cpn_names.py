"""PyTorch names of the CPN-50 pose file (COCO) -> our CPN's."""

from __future__ import annotations

from capf_jax.models.detectors.cpn import CPN
from capf_jax.models.detectors.resnet import ResNet
from converters.engine import COUNTER, Rule
from converters.resnet_names import bottleneck, conv_norm, resnet_rules


def cpn_rules(detector: CPN, prefix: str = '') -> list[Rule]:
    """The table of one CPN's keys.

    Args:
      detector: which blocks there are.
      prefix: what stands before every key, such as 'backbone.' in a CA-PF checkpoint.
    """
    resnet = ResNet(blocks=detector.blocks)
    rules = resnet_rules(resnet, f'{prefix}resnet.', ('resnet',), classifier=False)
    levels = len(resnet.blocks)
    for k in range(levels):
        lateral = f'{prefix}global_net.laterals.{k}'
        rules += conv_norm(f'{lateral}.0', f'{lateral}.1', (f'lateral{k}',))
        rules += _predict_head(f'{prefix}global_net.predict.{k}', detector)
        # PyTorch counts an upsampling by the level where it starts, and we by that where it ends.
        if k > 0:
            upsample = f'{prefix}global_net.upsamples.{k - 1}'
            rules += conv_norm(f'{upsample}.1', f'{upsample}.2', (f'upsample{k}',))
        for block in range(levels - 1 - k):
            key, name = f'{prefix}refine_net.cascade.{k}.{block}', f'refine{k}_block{block}'
            rules += bottleneck(key, (name,), project=True)
    final = f'{prefix}refine_net.final_predict'
    rules += bottleneck(f'{final}.0', ('refine_block',), project=True)
    return [*rules, *conv_norm(f'{final}.1', f'{final}.2', ('head',))]


def _predict_head(key: str, detector: CPN) -> list[Rule]:
    """The rules of a heatmap head of the global net, which only training needs."""
    channels, joints = detector.channels, detector.num_joints
    shapes: dict[str, tuple[int, ...]] = {
        '0.weight': (channels, channels, 1, 1),
        '3.weight': (joints, channels, 3, 3),
    }
    for norm, width in (('1', channels), ('5', joints)):
        for leaf in ('weight', 'bias', 'running_mean', 'running_var'):
            shapes[f'{norm}.{leaf}'] = (width,)
        shapes[f'{norm}.{COUNTER}'] = ()
    reason = "heatmap heads of CPN's global net, which only its training needs"
    return [Rule(f'{key}.{leaf}', None, reason=reason, shape=shapes[leaf]) for leaf in shapes]
