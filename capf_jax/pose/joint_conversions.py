"""From the 2D joints of one skeleton to those of another, by one linear function and named rules.

A detector that has learnt COCO finds no pelvis, spine, thorax or head as Human3.6M has them. Each
published program makes them of COCO's joints in its own way, which is a rule here, named by where
it comes from. All rules are weighted sums, and the weights of each joint sum to one: what they give
moves and scales with the person. They are equivariant to mirrors: the conversion of a mirrored
person is the mirrored conversion.

The functions take NumPy and JAX arrays alike, and import NumPy alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from capf_jax import errors
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Array
from capf_jax.pose.fitted_conversion import WEIGHTS as FITTED

Weights = Mapping[str, float]  # source joint -> its weight
Rule = Mapping[str, str | Weights | tuple[Weights, Weights]]  # target joint -> source, weights, x y

_LIMBS = {
    f'{side}_{joint}': f'{side}_{joint}'
    for joint in ('hip', 'knee', 'ankle', 'shoulder', 'elbow', 'wrist')
    for side in ('left', 'right')
}
_HIPS = {'left_hip': 1 / 2, 'right_hip': 1 / 2}
_SHOULDERS = {'left_shoulder': 1 / 2, 'right_shoulder': 1 / 2}
_EYES = {'left_eye': 1 / 2, 'right_eye': 1 / 2}
_TRUNK = dict.fromkeys((*_HIPS, *_SHOULDERS), 1 / 4)
# A third of the way from the middle of the shoulders to the nose.
_NECK = {'left_shoulder': 1 / 3, 'right_shoulder': 1 / 3, 'nose': 1 / 3}

# MotionBERT's coco2h36m (lib/data/dataset_action.py); the demos of MMPose's pose lifters do the
# same for datasets of COCO's kind.
_MOTIONBERT_COCO: Rule = {
    **_LIMBS,
    'pelvis': _HIPS,
    'spine': _TRUNK,
    'thorax': _SHOULDERS,
    'nose': 'nose',
    'head': _EYES,
}
# MotionBERT's halpe2h36m (lib/data/dataset_wild.py), for the joints that AlphaPose finds.
_MOTIONBERT_HALPE: Rule = {
    **_LIMBS,
    'pelvis': 'pelvis',
    'spine': {'neck': 1 / 2, 'pelvis': 1 / 2},
    'thorax': 'neck',
    'nose': 'nose',
    'head': 'head_top',
}
# GAST-Net's coco_h36m (tools/mpii_coco_h36m.py), which the demos of PoseFormer, MHFormer and
# MotionAGFormer took over. It moves the head and the thorax up by how much the eyes are above the
# nose, so that x and y have weights of their own, and it wants people upright.
_GAST_COCO: Rule = {
    **_LIMBS,
    'pelvis': _HIPS,
    # In x three times as far from the line between pelvis and neck as the middle of the trunk.
    'spine': (
        {
            'left_shoulder': 5 / 12, 'right_shoulder': 5 / 12,
            'left_hip': 1 / 4, 'right_hip': 1 / 4, 'nose': -1 / 3,
        },
        _TRUNK,
    ),
    'thorax': (_NECK, {**_NECK, 'nose': 1, 'left_eye': -1 / 3, 'right_eye': -1 / 3}),
    'nose': {'nose': 3 / 4, 'left_shoulder': 1 / 8, 'right_shoulder': 1 / 8},
    'head': (
        dict.fromkeys(('left_eye', 'right_eye', 'left_ear', 'right_ear'), 1 / 4),
        {'left_eye': 1, 'right_eye': 1, 'nose': -1},
    ),
}  # fmt: skip
# BODY_25 has a neck and a pelvis of its own; the rest is as MotionBERT does it for COCO.
_OPENPOSE_BODY_25: Rule = {
    **_LIMBS,
    'pelvis': 'pelvis',
    'spine': {'neck': 1 / 2, 'pelvis': 1 / 2},
    'thorax': 'neck',
    'nose': 'nose',
    'head': _EYES,
}
_FITTED_COCO: Rule = {
    joint: dict(zip(skeletons.COCO17.joints, row, strict=True))
    for joint, row in zip(skeletons.H36M17.joints, FITTED, strict=True)
}

BY_NAME = 'by_name'  # each joint of the target is the joint of this name of the source
# (source, target) -> rules by name; the first is the default.
RULES: dict[tuple[str, str], dict[str, Rule]] = {
    ('coco17', 'h36m17'): {
        'fitted': _FITTED_COCO,
        'motionbert': _MOTIONBERT_COCO,
        'mmpose': _MOTIONBERT_COCO,
        'gast': _GAST_COCO,
    },
    ('halpe26', 'h36m17'): {'motionbert': _MOTIONBERT_HALPE},
    ('body_25', 'h36m17'): {'openpose': _OPENPOSE_BODY_25},
}
FITTED_RULES = ('fitted',)  # those that were made here and not published
NAMES = tuple(dict.fromkeys(name for rules in RULES.values() for name in rules))  # of all rules


@dataclasses.dataclass(frozen=True)
class Conversion:
    """One rule from one skeleton to another. It can be hashed, and stands for its weights.

    Attributes:
      source, target: names of the skeletons.
      rule: the name of the rule: 'by_name' where the source has every joint of the target.
    """

    source: str
    target: str
    rule: str

    @property
    def weights(self) -> Float[np.ndarray, 'T S 2']:
        """The weight of each of the S source joints in each of the T target joints, in x and y."""
        return _weights(self)

    def joints(self, joints: Float[Array, '*batch S 2']) -> Float[Array, '*batch T 2']:
        """The target's joints, in the unit of the source's.

        The sums are written out: a matrix product in reduced precision would be pixels off.
        """
        weights = _like(joints, self.weights)
        return (joints[..., None, :, :] * weights).sum(axis=-2)

    def confidence(self, confidence: Float[Array, '*batch S']) -> Float[Array, '*batch T']:
        """Confidences of the target's joints.

        That of a joint is the mean of the source joints' that it is made of, each counted by the
        size of its weight, whatever its sign.
        """
        sizes = np.abs(self.weights).mean(axis=-1)  # [T, S]
        shares = _like(confidence, sizes / sizes.sum(axis=-1, keepdims=True))
        return (confidence[..., None, :] * shares).sum(axis=-1)


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Joints of people of whom some are converted by one rule, and the others by further ones.

    Which rule a person gets depends on the person's number alone, so that stored features and a
    detector that runs in every step give the same.

    Attributes:
      rule: what most people get.
      others: the further rules, each as likely as the others.
      chance: share of the people who get one of the others, 0 to 1.
    """

    rule: Conversion
    others: tuple[Conversion, ...] = ()
    chance: float = 0.0

    def convert(
        self,
        joints: Float[Array, 'B S 2'],
        confidence: Float[Array, 'B S'],
        people: Int[Array, ' B'],
    ) -> tuple[Float[Array, 'B T 2'], Float[Array, 'B T']]:
        """The target's joints and their confidences.

        Args:
          joints, confidence: the source's.
          people: numbers of the people; a negative one stands for `rule`.
        """
        converted, sureness = self.rule.joints(joints), self.rule.confidence(confidence)
        chosen = self.choice(people)
        for number, other in enumerate(self.others, start=1):
            is_other = (chosen == number)[:, None]
            converted = _where(is_other[..., None], other.joints(joints), converted)
            sureness = _where(is_other, other.confidence(confidence), sureness)
        return converted, sureness

    def choice(self, people: Int[Array, ' B']) -> Int[Array, ' B']:
        """The number of each person's rule: 0 for `rule`, n for the n-th of the others."""
        library = people.__array_namespace__()
        # The last step of MurmurHash3 makes of neighbouring numbers ones that look random.
        mixed = people.astype(library.uint32)
        for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
            mixed = (mixed ^ (mixed >> shift)) * library.uint32(factor)
        share = (mixed ^ (mixed >> 16)).astype(library.float32) / 2.0**32
        other = 1 + library.floor(share / max(self.chance, 1e-9) * len(self.others))
        is_other = (share < self.chance) & (people >= 0) & bool(self.others)
        return _where(is_other, other, 0.0).astype(library.int32)


def published(conversion: Conversion) -> tuple[Conversion, ...]:
    """The published rules between the same skeletons that give other joints, each once."""
    rules: list[Conversion] = []
    for name in RULES.get((conversion.source, conversion.target), {}):
        rule = Conversion(conversion.source, conversion.target, name)
        alike = (np.array_equal(rule.weights, each.weights) for each in (conversion, *rules))
        if name not in FITTED_RULES and not any(alike):
            rules.append(rule)
    return tuple(rules)


def get(source: str, target: str, rule: str = '') -> Conversion:
    """The conversion between two skeletons by a rule.

    Where the source has every joint of the target by name, these are taken, whatever the rule.

    Args:
      source, target: names of skeletons.
      rule: a name in RULES for these skeletons; '' takes the first.

    Raises:
      UserError: there is no such skeleton, or no such rule between the two.
    """
    joints = skeletons.get(source).joints
    if all(name in joints for name in skeletons.get(target).joints):
        return Conversion(source, target, BY_NAME)
    rules = RULES.get((source, target))
    if rules is None:
        known = [f'{one} to {other}' for one, other in RULES]
        raise errors.UserError(
            f'there is no rule that makes the joints of {target!r} of those of {source!r}; '
            f'there are rules from {", ".join(known)}'
        )
    if rule and rule not in rules:
        raise errors.unknown(f'the joint conversion from {source} to {target}', rule, rules)
    return Conversion(source, target, rule or next(iter(rules)))


@functools.cache
def _weights(conversion: Conversion) -> Float[np.ndarray, 'T S 2']:
    source, target = skeletons.get(conversion.source), skeletons.get(conversion.target)
    if conversion.rule == BY_NAME:
        rule: Rule = {name: name for name in target.joints}
    else:
        rule = RULES[conversion.source, conversion.target][conversion.rule]
    weights = np.zeros((len(target), len(source), 2))
    for row, name in enumerate(target.joints):
        made_of = rule[name]
        if isinstance(made_of, str):
            made_of = {made_of: 1.0}
        axes = made_of if isinstance(made_of, tuple) else (made_of, made_of)
        for axis, one in enumerate(axes):
            for joint, weight in one.items():
                weights[row, source.index(joint), axis] = weight
    weights.setflags(write=False)
    return weights


def _where(condition: Array, one: Array, other: Array | float) -> Array:
    return condition.__array_namespace__().where(condition, one, other)


def _like(array: Array, values: np.ndarray) -> Array:
    """The values as an array of the same kind and dtype as `array`."""
    return array.__array_namespace__().asarray(values, dtype=array.dtype)
