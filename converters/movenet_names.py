"""TensorFlow names of the two published MoveNet graphs -> our MoveNet's and MoveNetMultiPose's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capf_jax.models.detectors.mobilenet import STAGES
from capf_jax.models.detectors.movenet import MoveNet
from capf_jax.models.detectors.movenet_multipose import MoveNetMultiPose
from converters.engine import Layout, Rule

PREFIX = 'StatefulPartitionedCall/'
FOLDED = f'ConstantFolding/{PREFIX}'
PYRAMID = f'{PREFIX}center_net_mobile_net_v2fpn_feature_extractor/model_1/'
BACKBONE = f'{PYRAMID}model/'
HWIO = Layout('hwio', lambda x: x, lambda x: x)  # TensorFlow's convolutions lie as Flax's
DEPTHWISE = Layout(  # [h, w, channels, 1] -> [h, w, 1, channels]
    'depthwise', lambda x: x.transpose(0, 1, 3, 2), lambda x: x.transpose(0, 1, 3, 2)
)
REASON = "constants of the graph's own decoding, sizes and normalisation, which are code here"

# Our head -> the graph's, in the order in which the graph counts them.
THUNDER_HEADS = {
    'centre': 'center_0',
    'heatmaps': 'kpt_heatmap_0',
    'regression': 'kpt_regress_0',
    'offsets': 'kpt_offset_0',
}
MULTIPOSE_HEADS = {
    'centre': 'center_0',
    'box_sizes': 'box_scale_0',
    'box_offsets': 'box_offset_0',
    'heatmaps': 'kpt_heatmap_0',
    'regression': 'kpt_regress_0',
    'offsets': 'kpt_offset_0',
}

SHARED_CONSTANTS = """
ArgMax/dimension ExpandDims_3/dim ExpandDims_4/dim ExpandDims_6/dim Reshape Reshape_10/shape
Reshape_11/shape Reshape_2/shape Reshape_3 Reshape_4/shape Reshape_5/shape Reshape_6/shape
Reshape_7/shape Reshape_9/shape concat/axis concat_1/axis floordiv/y mul/y mul_1/y sub_1/y truediv
"""
THUNDER_CONSTANTS = f"""{SHARED_CONSTANTS}
ArgMax_1/dimension ExpandDims_2/dim ExpandDims_5 ExpandDims_7/dim ExpandDims_8/dim Reshape_13
Reshape_8 ResizeImage/resize/ExpandDims/dim add_5/y floordiv_1/y stack_4 strided_slice_3
strided_slice_4
"""
MULTIPOSE_CONSTANTS = f"""{SHARED_CONSTANTS}
Const_2 ExpandDims/dim Greater_1/y Less/y Max/reduction_indices Maximum/y Maximum_1/y
Reshape_12/shape Reshape_13/shape Reshape_14/shape Reshape_15/shape Reshape_16/shape Reshape_17
Reshape_18/shape Reshape_19 Reshape_20/shape Reshape_21/shape Reshape_22/shape Reshape_8/shape/2
Reshape_8/shape/3 Sum_2/reduction_indices Sum_3/reduction_indices Tile_1/multiples
Tile_4/multiples TopKV2/k clip_by_value/y clip_by_value_1/y clip_by_value_2/y clip_by_value_3/y
clip_by_value_4/Minimum/y clip_by_value_4/y floordiv_2/y floordiv_3/y meshgrid/Reshape_2/shape
meshgrid/Reshape_3/shape meshgrid/ones/Const mul_5/y mul_6/y mul_7/x range_1/delta range_1/start
range_2/delta range_2/start split/split_dim truediv_8/x truediv_9/x x x_2 zeros_like
"""
# Each of these operations has three constants, the begin, the end and the step of a slice.
MULTIPOSE_SLICES = ('', *(f'_{i}' for i in (1, *range(3, 19), 20, 21, 23, 24)))


def movenet_rules(detector: MoveNet, prefix: str = '') -> list[Rule]:
    """The table of MoveNet Thunder's names.

    Args:
      detector: the module; the table is the same for every one.
      prefix: what stands before every name.
    """
    del detector
    upsampling = [f'{PYRAMID}up_sampling2d{i}/mul' for i in ('', '_1', '_2')]
    folded = [f'{FOLDED}{name}' for name in ('truediv_2_recip', 'stack_const_axis')]
    names = [PREFIX + name for name in THUNDER_CONSTANTS.split()]
    return [*_weights(THUNDER_HEADS, prefix), *_dropped([*names, *upsampling, *folded], prefix)]


def multipose_rules(finder: MoveNetMultiPose) -> list[Rule]:
    """The table of MoveNet MultiPose's names."""
    del finder
    operations = [f'{PREFIX}strided_slice{i}' for i in MULTIPOSE_SLICES]
    upsampling = [f'{PYRAMID}up_sampling2d{i}' for i in ('', '_1', '_2')]
    operations += [f'{name}/strided_slice' for name in upsampling]
    names = [PREFIX + name for name in MULTIPOSE_CONSTANTS.split()]
    names += [f'{operation}/stack{i}' for operation in operations for i in ('', '_1', '_2')]
    names += [f'{name}/Const' for name in upsampling]
    names += [f'{FOLDED}truediv_{i}_recip' for i in (2, 3, 4, 5)]
    return [*_weights(MULTIPOSE_HEADS, ''), *_dropped(names, '')]


def _dropped(names: Sequence[str], prefix: str) -> Iterator[Rule]:
    return (Rule(prefix + name, None, reason=REASON) for name in names)


def _weights(heads: dict[str, str], prefix: str) -> list[Rule]:
    """The rules of all convolutions, under the prefix."""
    rules = [*_backbone(), *_pyramid()]
    for i, (name, key) in enumerate(heads.items()):
        rules += _head(f'{PREFIX}{key}', i, ('params', name))
    return [Rule(prefix + rule.key, rule.path, rule.layout) for rule in rules]


def _backbone() -> Iterator[Rule]:
    path = ('params', 'backbone')
    yield from _folded(f'{BACKBONE}Conv1/Conv2D', (*path, 'stem'))
    number = 0  # the graph counts the blocks through all stages, and gives the first no number
    for stage, (_, _, blocks, _) in enumerate(STAGES):
        for block in range(blocks):
            key = f'{BACKBONE}block_{number}' if number else f'{BACKBONE}expanded_conv'
            name = f'stage{stage}_block{block}'
            if number:
                yield from _folded(f'{key}_expand/Conv2D', (*path, name, 'expand'))
            depthwise = (*path, name, 'depthwise')
            yield from _folded(f'{key}_depthwise/depthwise', depthwise, DEPTHWISE)
            yield from _folded(f'{key}_project/Conv2D', (*path, name, 'project'))
            number += 1
    yield from _folded(f'{BACKBONE}Conv_1/Conv2D', (*path, 'top'))


def _pyramid() -> Iterator[Rule]:
    path = ('params', 'pyramid')
    for level in range(4):
        key = f'{PYRAMID}conv2d{_number(level)}'
        yield from _convolution(key, (*path, f'lateral{32 >> level}'))
    for level in range(3):
        key, name = f'{PYRAMID}separable_conv2d{_number(level)}', f'smooth{16 >> level}'
        depthwise = f'{key}/separable_conv2d/ReadVariableOp'
        yield Rule(depthwise, (*path, name, 'depthwise', 'kernel'), DEPTHWISE)
        yield from _folded(f'{key}/separable_conv2d', (*path, name, 'pointwise'))


def _head(key: str, number: int, path: tuple[str, ...]) -> Iterator[Rule]:
    """A head `key`, the graph's `number`th, whose layers are counted from the pyramid's on."""
    separable = f'{key}/separable_conv2d_{3 + number}'
    kernels = f'{separable}/separable_conv2d/ReadVariableOp'
    yield Rule(kernels, (*path, 'hidden', 'depthwise', 'kernel'), DEPTHWISE)
    yield Rule(f'{kernels}_1', (*path, 'hidden', 'pointwise', 'kernel'), HWIO)
    yield Rule(f'{separable}/BiasAdd/ReadVariableOp', (*path, 'hidden', 'pointwise', 'bias'))
    yield from _convolution(f'{key}/conv2d_{4 + number}', (*path, 'output'))


def _folded(key: str, path: tuple[str, ...], layout: Layout = HWIO) -> Iterator[Rule]:
    """A convolution with the BatchNorm behind it folded into it."""
    yield Rule(f'{key}_weights', (*path, 'kernel'), layout)
    yield Rule(f'{key}_bn_offset', (*path, 'bias'))


def _convolution(key: str, path: tuple[str, ...]) -> Iterator[Rule]:
    """A convolution with a bias."""
    yield Rule(f'{key}/Conv2D/ReadVariableOp', (*path, 'kernel'), HWIO)
    yield Rule(f'{key}/BiasAdd/ReadVariableOp', (*path, 'bias'))


def _number(i: int) -> str:
    """How Keras counts layers of one kind."""
    return f'_{i}' if i else ''
