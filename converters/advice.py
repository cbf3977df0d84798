"""Sentences for the user about a weight file: its joints, and what to try where it does not fit."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from capf_jax.models.published_sizes import OWN_SIZE
from capf_jax.pose import skeletons
from converters import engine, namings, recognise, tables
from converters.reading import Source
from converters.tables import Model

UNLIKE = 50  # per cent of common keys below which a file is hardly the model that it is nearest to
FEW = 10  # keys of a file that is no part of a model, although a model has them all
PARTS = 4  # beginnings of keys behind which a model is looked for
MOST_DROPPED = 20  # beginnings that a user is asked to leave out


def of_joints(model: Model, is_sure: bool) -> str:
    """Which joints a model's file is for, and whether that is known or assumed.

    Args:
      model: the model.
      is_sure: whether the user said whose joints they are.
    """
    joints = skeletons.get(model.skeleton)
    what = f'joints: {model.skeleton} ({", ".join(joints.joints[:4])}, ...)'
    if model.kind == tables.DETECTOR and not model.detector_has_joints:
        return 'joints: none, it makes maps alone'
    others = [name for name in _of_length(len(joints)) if name != model.skeleton]
    is_published_lifter = model.kind == tables.CA_PF_KIND and model.name != OWN_SIZE
    is_certain = is_published_lifter or model.naming == namings.TENSORFLOW
    if is_sure or is_certain or not others:
        return what
    return (
        f'{what}, assumed since published files are for them; neither keys nor shapes tell: if it '
        f'is for others of as many, say so by --skeleton={"|".join(others)}'
    )


def for_joints(joints: int) -> str:
    """What to do about a file for so many joints."""
    fitting = _of_length(joints)
    if fitting:
        return f'say whose joints they are by --skeleton={"|".join(fitting)}'
    known = ', '.join(f'{name} {len(one)}' for name, one in skeletons.SKELETONS.items())
    return f'no skeleton here has as many ({known}), so that only a file for one of these will do'


def fault(what: str, opened: Source, model: Model, expected: Mapping[str, Any]) -> str:
    """How a file does not fit, what it seems to be and what to try; '' for a file that fits.

    Args:
      what: what cannot be converted.
      opened: the file's content.
      model: the nearest known model.
      expected: its Flax variables as shapes.
    """
    problems = engine.differences(opened.state, model.rules, expected)
    if not any(problems.values()):
        return ''
    return engine.report(what, problems, _advice(opened, model, problems))


def of_part(opened: Source) -> str:
    """What to do about a file that holds a known model under one beginning of its keys.

    Training programs keep other things beside a network, such as its loss or its running mean.

    Returns:
      A sentence; '' where no beginning leads to a known model.
    """
    shapes = {key: array.shape for key, array in opened.state.items()}
    for beginning in _beginnings(shapes):
        part = {
            key.removeprefix(beginning): shape
            for key, shape in shapes.items()
            if key.startswith(beginning)
        }
        if len(part) == len(shapes):
            continue
        model, likeness = recognise.recognise(part)
        drop = _drop([key for key in shapes if not key.startswith(beginning)], {beginning})
        if likeness == 1 and drop:
            return (
                f'what begins with {beginning!r} seems to be {model.name}: if it is what you need, '
                f'convert it with --drop={drop} to leave out all else'
            )
    return ''


def _beginnings(keys: Iterable[str]) -> list[str]:
    """The first one and the first two names of keys, those with the most keys first."""
    counts = collections.Counter(
        '.'.join(names[:number]) + '.'
        for names in (key.split('.') for key in keys)
        for number in (1, 2)
        if len(names) > number
    )
    return [beginning for beginning, _ in counts.most_common(PARTS)]


def _advice(opened: Source, model: Model, problems: Mapping[str, list[str]]) -> str:
    """What a file that does not fit seems to be, and what to try."""
    shapes = {key: array.shape for key, array in opened.state.items()}
    share = int(100 * recognise.likeness(model, shapes))  # 100 is said of no file that differs
    is_whole = not problems['missing'] and not problems['shape']
    is_part = not problems['unexpected'] and len(shapes) >= FEW
    if share < UNLIKE and not is_whole and not is_part:
        part = of_part(opened)
        return (
            f'It is hardly a {model.name} ({share}% of the keys are the same). '
            + (f'But {part}. ' if part else '')
            + f'Known are {", ".join(tables.names())}; python -m converters.inspect FILE says more.'
        )
    return (
        f'It seems to be {model.name} with {namings.TITLES[model.naming]} ({share}% of the keys '
        f'are the same). {_try(model, problems, shapes)}'
    )


def _try(
    model: Model, problems: Mapping[str, list[str]], shapes: Mapping[str, tuple[int, ...]]
) -> str:
    """What to try about a file that is nearly a known model."""
    missing, unexpected = problems['missing'], problems['unexpected']
    if model.name.startswith('vitpose') and _has_simple_decoder(shapes):
        return (
            'Its head is the simple decoder, one 3x3 convolution, which is not known here: give '
            'the file with the classic decoder, such as vitpose-b.pth and not vitpose-b-simple.pth.'
        )
    if problems['shape'] and not missing and not unexpected:
        return (
            'It is of another size: give the published one, or a file of a kind whose sizes are '
            'read off its shapes (HRNet, CA-PF, PoseFormer).'
        )
    if problems['type']:
        return 'Save its weights as float32: {key: w.float() for key, w in state_dict.items()}.'
    if missing:
        return (
            f'It lacks {len(missing)} of the tensors: give the whole file, not a part of it or '
            f'another version of the network.'
        )
    drop = _drop(unexpected, {rule.key for rule in model.rules if rule.path is not None})
    if not drop:
        return 'Save the state dict of the network alone, without what is unexpected.'
    return f'Convert it with --drop={drop} if it needs none of what is unexpected.'


def _drop(keys: Sequence[str], needed: set[str]) -> str:
    """The value of `--drop` that leaves out some keys and none of those that are needed.

    Args:
      keys: what is to be left out.
      needed: keys, or beginnings of keys, that are kept.

    Returns:
      Beginnings, joined by commas, as short as can be; '' where that would be too many.
    """

    def is_safe(beginning: str) -> bool:
        return bool(beginning) and not any(
            key.startswith(beginning) or beginning.startswith(key) for key in needed
        )

    def shortest(key: str) -> str:
        names = key.split('.')
        beginnings = ['.'.join(names[:number]) + '.' for number in range(1, len(names))]
        return next(filter(is_safe, beginnings), key)

    chosen = list(dict.fromkeys(map(shortest, keys)))
    whole = [one for one in chosen if not one.endswith('.')]
    # Running means have names such as ema_backbone_conv1.
    common = os.path.commonprefix(whole)  # noqa: RUF071 (names, and no paths)
    if len(whole) > 1 and is_safe(common):
        chosen = [one for one in chosen if one not in whole] + [common]
    too_many = len(chosen) > MOST_DROPPED or any(',' in one for one in chosen)
    return '' if too_many else ','.join(chosen)


def _has_simple_decoder(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a ViTPose's last layer is a 3x3 convolution of its tokens."""
    heads = ('keypoint_head.final_layer.weight', 'head.final_layer.weight', 'head.conv.weight')
    return any(shapes.get(key, ())[2:] == (3, 3) for key in heads)


def _of_length(joints: int) -> list[str]:
    """The skeletons of so many joints."""
    return [name for name, skeleton in skeletons.SKELETONS.items() if len(skeleton) == joints]
