"""Recognises by its keys and shapes which model a state dict belongs to, or is nearest to.

For every family of models, the shapes tell which member of it the state dict could be, and the
member's table has its keys. The member that shares the most keys is the nearest; the engine then
checks strictly.
"""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Mapping
from typing import Any

from capf_jax.errors import unknown
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.vitpose import PATCH
from capf_jax.models.published_sizes import OWN_SIZE, ca_pf_name
from converters import namings, spare_keys, tables, vitpose_names
from converters.movenet_names import PREFIX as TENSORFLOW_PREFIX
from converters.tables import Model
from converters.temporal_names import NAMES, POSITION, TemporalNames

Shapes = Mapping[str, tuple[int, ...]]
LIFTER, BACKBONE = 'volume_net.', namings.BACKBONE
MOST = 100  # every known model has fewer layers and modules
CONTEXT_OF = ('hrnet_w32', 'hrnet_w48', 'cpn50')  # detectors whose context is published
VITPOSE = {384: 'vitpose_s', 768: 'vitpose_b', 1024: 'vitpose_l', 1280: 'vitpose_h'}


def recognise(shapes: Shapes) -> tuple[Model, float]:
    """The model that a state dict is nearest to.

    Args:
      shapes: PyTorch key -> shape.

    Returns:
      The model, and the share of keys that the two have in common: 1 where all keys meet.
    """
    pairs = [(model, likeness(model, shapes)) for model in candidates(shapes)]
    return max(pairs, key=lambda pair: pair[1])


def check_name(name: str) -> None:
    """Checks the value of `--model`.

    Raises:
      UserError: no model is called so; the sentence names the nearest.
    """
    if name not in tables.names():
        raise unknown('--model', name, tables.names())


def likeness(model: Model, shapes: Shapes) -> float:
    """Keys that a model and a state dict share, over all keys of the two; 0 to 1."""
    needed = {rule.key for rule in model.rules if rule.path is not None}
    present = shapes.keys() - {rule.key for rule in model.rules if rule.path is None}
    return len(needed & present) / max(len(needed | present), 1)


def number_of_joints(model: Model, shapes: Shapes) -> int | None:
    """How many joints a state dict of this kind of model is for; None where no key tells."""
    for rule in model.rules:
        axis = tables.JOINT_AXES[model.kind].get(rule.path) if rule.path else None
        if axis is not None and len(shapes.get(rule.key, ())) > axis:
            return shapes[rule.key][axis]
    return None


def candidates(shapes: Shapes) -> list[Model]:
    """The member of each family of models that this state dict would be."""
    if any(key.startswith(TENSORFLOW_PREFIX) for key in shapes):
        return [tables.detector('movenet_thunder', namings.TENSORFLOW), tables.multipose()]
    members = [*detectors(shapes), _poseformer(shapes)]
    if any(key.startswith('coord_embed.') for key in shapes):
        members.append(_ca_pf_s(shapes))
    if any(key.startswith(LIFTER) for key in shapes):
        members.append(_ca_pf(shapes))
    return members


def detectors(shapes: Shapes) -> list[Model]:
    """The member of each family of detectors that this state dict would be."""
    inside = _inside(shapes, BACKBONE)
    width, inside_width = (_nearest(_hrnet_width(keys), (32, 48)) for keys in (shapes, inside))
    classifiers = [
        tables.detector(f'hrnet_w{width}_imagenet'),
        tables.detector(f'hrnet_w{inside_width}_imagenet', namings.MMPOSE),
        tables.detector('resnet50_imagenet'),
        tables.detector('resnet50_imagenet', namings.MMPOSE),
    ]
    head = spare_keys.of_a_classifier(shapes)
    return [
        _hrnet(shapes),
        tables.detector('cpn50'),
        tables.detector('simplebaseline_resnet50'),
        *(_hrnet(inside, naming) for naming in namings.MMPOSE_HEADS),
        *(tables.detector('simplebaseline_resnet50', naming) for naming in namings.MMPOSE_HEADS),
        *(dataclasses.replace(model, spare=head) for model in classifiers),
        *(_vitpose(shapes, naming) for naming in vitpose_names.NAMINGS),
    ]


def _hrnet(shapes: Shapes, naming: str = namings.OFFICIAL) -> Model:
    """A published HRNet, or one of a user's own size, by the keys of its layers."""
    fields = {
        'width': _hrnet_width(shapes),
        'stem_channels': _size(shapes, 64, ('conv1.weight', 0), ('conv2.weight', 0)),
        'bottlenecks': _count(shapes, r'layer1\.(\d+)\.', 4),
        'modules': tuple(
            _count(shapes, rf'stage{stage}\.(\d+)\.', modules)
            for stage, modules in ((2, 1), (3, 4), (4, 3))
        ),
        'blocks': _count(shapes, r'stage2\.0\.branches\.0\.(\d+)\.', 4),
    }
    for width in (32, 48):
        model = tables.detector(f'hrnet_w{width}', naming)
        if all(getattr(model.detector, name) == value for name, value in fields.items()):
            return model
    return tables.detector('hrnet', naming, {**fields, 'heatmaps': 'gaussian'})


def _hrnet_width(shapes: Shapes) -> int:
    """Channels of the finest branch."""
    stages = [(f'stage{stage}.0.branches.0.0.conv1.weight', 0) for stage in (2, 3, 4)]
    return _size(shapes, 32, *stages, ('transition1.0.0.weight', 0), ('final_layer.weight', 1))


def _vitpose(shapes: Shapes, naming: str) -> Model:
    """The published ViTPose of the nearest width, with keys of these names."""
    rules = tables.detector('vitpose_b', naming).rules
    keys = {rule.path: rule.key for rule in rules if rule.path is not None}
    position, block = keys['params', 'position_embedding'], ('params', 'block0')
    size = _size(
        shapes,
        768,
        (position, 2),
        (keys['params', 'norm', 'scale'], 0),
        (keys[*block, 'attention', 'proj', 'kernel'], 0),
        (keys[*block, 'norm1', 'scale'], 0),
    )
    model = tables.detector(VITPOSE[_nearest(size, tuple(VITPOSE))], naming)
    fc2 = keys[*block, 'mlp', 'fc2', 'kernel']
    expert_rows = _size(shapes, 0, (f'{fc2.rpartition(".fc2.")[0]}.experts.0.weight', 0))
    is_whole = _size(shapes, size, (fc2, 0)) + expert_rows != size
    rows = _size(shapes, 0, (position, 1))
    has_first_row = naming != namings.MMPOSE_1 or _crop(rows) is None
    return dataclasses.replace(
        model,
        crop=_crop(rows - has_first_row) or model.crop,
        expert_rows=0 if is_whole else expert_rows,
        has_first_row=has_first_row,
        spare=spare_keys.of_a_vitpose(shapes),
    )


def _crop(patches: int) -> tuple[int, int] | None:
    """(H, W) of crops of so many ViTPose patches, four high to three wide, or square."""
    for k in range(1, MOST):
        if patches == 12 * k * k:
            return 4 * PATCH * k, 3 * PATCH * k
        if patches == k * k:
            return PATCH * k, PATCH * k
    return None


def _poseformer(shapes: Shapes) -> Model:
    """A PoseFormer of any number of frames, layers and channels, for Human3.6M's joints."""
    channels = _size(
        shapes, 32, ('Spatial_patch_to_embedding.weight', 0), ('Spatial_norm.weight', 0)
    )
    fields = {
        'num_joints': 17,
        'frames': _size(shapes, 81, ('Temporal_pos_embed', 1), ('weighted_mean.weight', 1)),
        'channels': channels,
        'layers': _count(shapes, r'blocks\.(\d+)\.', 4),
        'heads': 8,
        'mlp_ratio': _ratio(shapes, 'Spatial_blocks.0.mlp.fc1.weight', channels),
        'drop_path': 0.1,
    }
    return Model(tables.POSEFORMER, tables.POSEFORMER, tables.HUMAN36M, fields)


def _ca_pf_s(shapes: Shapes) -> Model:
    """A CA-PF-S of any number of frames, layers and channels, for Human3.6M's joints."""
    levels = _count(shapes, r'feat_embed\.(\d+)\.', 4)
    widths = tuple(_size(shapes, 32, (f'feat_embed.{i}.weight', 1)) for i in range(levels))
    # Raw vectors tell their detector; others have been projected, nobody knows of which maps.
    names = [name for name in CONTEXT_OF if tables.detector(name).entry.channels == widths]
    detector = tables.detector(names[0] if names else 'hrnet_w32')
    fields = _lifter(shapes, detector)
    fields['levels'] = tuple(range(levels))
    blocks, mean, frames = _temporal_names(shapes)
    settings = tables.settings(
        detector.name,
        lifter=fields,
        projection_channels=0 if names else widths[0],
        temporal_layers=_count(shapes, rf'{re.escape(blocks)}\.(\d+)\.', 4),
        temporal_position=POSITION in shapes,
    )
    return Model(
        tables.CA_PF_S,
        tables.CA_PF_S,
        tables.HUMAN36M,
        settings,
        frames=frames,
        temporal_names=TemporalNames(blocks, mean),
    )


def _temporal_names(shapes: Shapes) -> tuple[str, str, int]:
    """What the temporal blocks and the mean over the frames are called, and the frames F.

    The blocks are those that are none of the lifter's, and the mean is the one convolution.
    """
    matches = (re.fullmatch(r'(\w+)\.0\.attn\.qkv\.weight', key) for key in shapes)
    others = {match[1] for match in matches if match} - {'res_blocks', 'joint_blocks'}
    blocks = min(others, default=NAMES.blocks)
    for key, shape in shapes.items():
        if key.endswith('.weight') and len(shape) == 3 and (shape[0], shape[2]) == (1, 1):
            return blocks, key.removesuffix('.weight'), max(shape[1], 1)
    return blocks, NAMES.mean, 27 if others else 1


def _ca_pf(shapes: Shapes) -> Model:
    """A published CA-PF, or one of a user's own size on any detector of the catalog."""
    backbone = _inside(shapes, BACKBONE)
    # Without heatmap heads, HRNets learnt from ImageNet and from COCO are the same network.
    models = [m for m in detectors(backbone) if not re.match(r'hrnet_.*_imagenet', m.name)]
    detector = max(models, key=lambda model: likeness(model, backbone))
    lifter = _lifter(_inside(shapes, LIFTER), detector)
    settings = tables.settings(detector.name, detector.settings['hrnet'], lifter)
    # Files of HRNet come without its heatmap head, which the maps do not need.
    head = not isinstance(detector.detector, HRNet) or 'final_layer.weight' in backbone
    for skeleton in (tables.MPI_INF_3DHP, tables.HUMAN36M):
        name = ca_pf_name(detector.name, skeleton, settings['lifter'])
        if name != OWN_SIZE:
            break
    return Model(tables.CA_PF_KIND, name, skeleton, settings, detector.naming, head)


def _lifter(shapes: Shapes, detector: Model) -> dict[str, Any]:
    """Fields of `config.model.lifter`; those that leave no trace in shapes keep their defaults."""
    channels = _size(shapes, 128, ('coord_embed.weight', 0), ('Spatial_pos_embed', 3))
    deformable = any(key.startswith('context_blocks.') for key in shapes)
    fields = {
        'ablation_step': 3,
        'levels': _levels(shapes, detector),
        'deformable': deformable,
        'detector_joints': _size(shapes, 2, ('coord_embed.weight', 1)) == 4,
        'channels': channels,
        'layers': _count(shapes, r'joint_blocks\.(\d+)\.', 4),
        'mlp_ratio': _ratio(shapes, 'res_blocks.0.mlp.fc1.weight', channels),
    }
    if deformable:
        width = _size(shapes, channels // 4, ('context_blocks.0.embed_proj.0.weight', 0))
        heads = max(channels // max(width, 1), 1)
        points = _size(shapes, 4 * heads, ('context_blocks.0.attention_weights.weight', 0))
        fields |= {'deformable_heads': heads, 'sampling_points': max(points // heads, 1)}
    return fields


def _levels(shapes: Shapes, detector: Model) -> tuple[int, ...]:
    """Which of the detector's maps the lifter uses, recognised by their channels."""
    used, channels = [], detector.entry.channels
    for level in range(_count(shapes, r'feat_embed\.(\d+)\.', len(channels))):
        width = _size(shapes, 0, (f'feat_embed.{level}.weight', 1))
        rest = [i for i, c in enumerate(channels) if c == width and i > max(used, default=-1)]
        used.append(rest[0] if rest else level)
    return tuple(used)


def _size(shapes: Shapes, otherwise: int, *places: tuple[str, int]) -> int:
    """The size that most of these axes (key, axis) have."""
    sizes = [shapes[key][axis] for key, axis in places if len(shapes.get(key, ())) > axis]
    sizes = [size for size in sizes if size]  # the engine will refuse empty arrays
    return statistics.mode(sizes) if sizes else otherwise


def _ratio(shapes: Shapes, key: str, channels: int) -> int:
    """The hidden width of the MLP whose first layer this is, over the width of its input."""
    return max(_size(shapes, 2 * channels, (key, 0)) // channels, 1)


def _count(shapes: Shapes, pattern: str, otherwise: int) -> int:
    """How many parts there are, counted by the number that the pattern's group matches in keys."""
    numbers = [int(match[1]) for key in shapes if (match := re.match(pattern, key))]
    numbers = [number for number in numbers if number < MOST]  # the engine will refuse the others
    return max(numbers) + 1 if numbers else otherwise


def _inside(shapes: Shapes, prefix: str) -> Shapes:
    """The keys that begin with a prefix, without it."""
    return {
        key.removeprefix(prefix): shape for key, shape in shapes.items() if key.startswith(prefix)
    }


def _nearest(size: int, known: tuple[int, ...]) -> int:
    return min(known, key=lambda other: abs(other - size))
