"""What files hold beyond a known model, told by names and shapes, and dropped when converted.

Tables name every key of a published file. But classifiers call their last layers as they like, and
ViTPose+ holds parts for other data sets; such keys are known by what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Shapes = Mapping[str, tuple[int, ...]]

CLASSIFIER = "ImageNet's classifier, which no map depends on"
OTHER_DATA_SETS = 'parts of ViTPose+ for other data sets than COCO'
CLASS_TOKEN = 'a class token, which nothing reads'
# The first name of keys that are no part of the network that makes the maps.
_HEADS = frozenset({
    'fc', 'classifier', 'cls', 'head', 'heads', 'cls_head', 'head_fc', 'last_linear', 'linear',
    'logits', 'output', 'neck', 'pre_logits', 'new_fc', 'projection', 'projection_head',
})  # fmt: skip
_LAST_CHANNELS = 2048  # of ResNet-50, and of what HRNet's classifier makes of its maps
_OTHER_DATA_SETS = re.compile(r'associate_(keypoint_)?heads\.|.*\.mlp\.experts\.\d+\.')
_CLASS_TOKEN = re.compile(r'(backbone\.)?(embeddings\.)?cls_token$')


def of_a_classifier(shapes: Shapes) -> tuple[tuple[str, str], ...]:
    """(key, reason) of the layers that make classes, whatever their names.

    Args:
      shapes: PyTorch key -> shape of a file of a ResNet or an HRNet, whose own layers are all
        convolutions and BatchNorms.
    """
    # A layer with a matrix makes classes, and so does a 1x1 convolution of all the last channels
    # without a BatchNorm behind it; the layer's bias belongs to it.
    layers = {
        key.rpartition('.')[0]
        for key, shape in shapes.items()
        if key.endswith('weight')
        and (len(shape) == 2 or (shape[1:] == (_LAST_CHANNELS, 1, 1) and _is_biased(key, shapes)))
    }
    return tuple(
        (key, CLASSIFIER)
        for key in shapes
        if key.rpartition('.')[0] in layers or key.partition('.')[0] in _HEADS
    )


def of_a_vitpose(shapes: Shapes) -> tuple[tuple[str, str], ...]:
    """(key, reason) of what a ViTPose's file holds beyond COCO's network.

    Args:
      shapes: PyTorch key -> shape of the file.
    """
    return tuple(_spare_of_a_vitpose(shapes))


def _spare_of_a_vitpose(shapes: Shapes) -> Iterator[tuple[str, str]]:
    for key in shapes:
        if _OTHER_DATA_SETS.match(key):
            yield key, OTHER_DATA_SETS
        elif _CLASS_TOKEN.match(key):
            yield key, CLASS_TOKEN


def _is_biased(weight: str, shapes: Shapes) -> bool:
    """Whether the layer of a weight has a bias."""
    return f'{weight.removesuffix("weight")}bias' in shapes
