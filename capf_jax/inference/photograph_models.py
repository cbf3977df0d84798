"""`Models`: the networks that a prediction on pictures runs, checked to fit each other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference import sequences
from capf_jax.models.ca_pf import VIEWING_RAY
from capf_jax.pose import joint_conversions
from capf_jax.pose.joint_conversions import Conversion
from capf_jax.pose.skeletons import Skeleton

if TYPE_CHECKING:
    from capf_jax.inference.estimator import Estimator


class JointDetector(Protocol):
    """What finds the 2D joints of a person in a crop: an `Estimator`, or a model of others."""

    @property
    def path(self) -> str:
        """Its file."""
        ...

    @property
    def crop_size(self) -> tuple[int, int] | None:
        """(H, W) of the crops; None for any."""
        ...

    @property
    def joint_skeleton(self) -> Skeleton | None:
        """The joints that it finds; None if it finds none."""
        ...

    def joints(self, crops: np.ndarray) -> tuple[Any, Any]:
        """Joints [B, J, 2], pixels, and confidences [B, J] of RGB crops, uint8 [B, H, W, 3]."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Models:
    """The networks of a prediction.

    Attributes:
      lifter: a file with a lifter.
      detector: what finds the 2D joints; None where they are always given.
      conversion: from the detector's joints to those of the lifter; None without a detector.
      rule: of every conversion to the lifter's joints, as the user names it; '' for the usual one.
    """

    lifter: Estimator
    detector: JointDetector | None
    conversion: Conversion | None
    rule: str = ''

    @classmethod
    def of(
        cls,
        lifter: Estimator,
        detector: JointDetector | None = None,
        rule: str = '',
        *,
        has_videos: bool = False,
    ) -> Models:
        """Checks that the files can do it.

        Args:
          lifter: a file with a lifter.
          detector: a detector of 2D joints; None for the lifter's own.
          rule: of the joint conversion, a name of `joint_conversions.NAMES`; '' for the one that
            the lifter was trained with, if any. Joints of another rule are foreign to the lifter.
            Joints that it cannot convert are refused when they come.
          has_videos: whether the pictures are frames of videos or cameras alone, which a lifter of
            sequences takes too.

        Raises:
          UserError: no lifter, or no detector of joints, or joints that are not convertible, or an
            unknown rule.
        """
        if rule and rule not in joint_conversions.NAMES:
            raise errors.unknown('the joint conversion', rule, joint_conversions.NAMES)
        over_time = lifter.sequence_lifter
        if lifter.lifter is None and over_time is not None and has_videos:
            if sequences.needs_crops(over_time):
                sequences.check_model(lifter, over_time)
        elif lifter.lifter is None:
            held = lifter.metadata.get('name', lifter.metadata.get('kind'))
            instead = ''
            if over_time is not None:
                instead = '; this one lifts the frames of a video or of a camera'
            raise UserError(
                f'{lifter.path} holds {held}, which lifts no photograph to 3D; give the weights '
                f'of a Context-Aware PoseFormer{instead}'
            )
        finds = detector or lifter
        if finds.joint_skeleton is None:
            if detector is None:
                return cls(lifter, None, None, rule)
            raise UserError(
                f'{finds.path} finds no 2D joints; give the weights of a detector with heatmaps'
            )
        pair = finds.joint_skeleton.name, lifter.skeleton.name
        conversion = _conversion(*pair, lifter, rule)
        if detector is None and rule and conversion.rule == rule:
            finds = lifter = _with_conversion(lifter, conversion)
        return cls(lifter, finds, conversion, rule)

    def check_detector(self) -> tuple[JointDetector, Conversion]:
        """The detector and the conversion of its joints.

        Raises:
          UserError: there is no detector of 2D joints, or the rule does not convert its joints.
        """
        if self.detector is None or self.conversion is None:
            raise UserError(
                f'{self.lifter.path} finds no 2D joints; give the weights of a detector with '
                'heatmaps (--detector_weights), or the 2D joints (--joints2d)'
            )
        self._check_rule(self.conversion, f'the 2D joints that {self.detector.path} finds')
        return self.detector, self.conversion

    def conversion_of(self, skeleton: str) -> Conversion:
        """The conversion of given 2D joints of a skeleton to those of the lifter.

        Raises:
          UserError: there is none, or the rule is not one for these joints.
        """
        conversion = _conversion(skeleton, self.lifter.skeleton.name, self.lifter, self.rule)
        self._check_rule(conversion, 'the given 2D joints')
        return conversion

    def _check_rule(self, conversion: Conversion, joints: str) -> None:
        """UserError where a conversion is not by the rule that the user names."""
        if not self.rule or conversion.rule == self.rule:
            return
        source, target = conversion.source, conversion.target
        rules = joint_conversions.RULES.get((source, target))
        if rules is None:
            raise UserError(
                f'{joints} are those of {source!r}, which {self.lifter.path} takes as they are: '
                f'leave the conversion {self.rule!r} out'
            )
        raise UserError(
            f'{joints} are those of {source!r}, which the conversion {self.rule!r} does not turn '
            f'into those of {target!r}; give {" or ".join(rules)}'
        )

    @property
    def turns(self) -> bool:
        """Whether crops are those of a camera that is turned at the person."""
        return self.lifter.frame == VIEWING_RAY

    @property
    def lifts_own_joints(self) -> bool:
        """Whether the lifter's own detector finds the joints on the very crop that is lifted."""
        if self.lifts_sequences:  # which may look at the joints that their detector finds
            return self.detector is self.lifter
        lifter = self.lifter.lifter
        assert lifter is not None  # which `of` has checked
        was_trained_so = lifter.whole is not None and lifter.whole.conversion is not None
        return self.turns and self.detector is self.lifter and was_trained_so

    @property
    def lifts_sequences(self) -> bool:
        """Whether the lifter takes windows of frames, not single ones."""
        return self.lifter.lifter is None


def _conversion(source: str, target: str, lifter: Estimator, rule: str) -> Conversion:
    """By the rule, or by the one that the lifter was trained with, or else by the usual one.

    The first of them counts that is a rule between these skeletons.
    """
    own_rule = lifter.metadata.get('model', {}).get('joint_conversion', '')
    rules = joint_conversions.RULES.get((source, target), {})
    fitting = (one for one in (rule, own_rule) if one in rules)
    return joint_conversions.get(source, target, next(fitting, ''))


def _with_conversion(lifter: Estimator, conversion: Conversion) -> Estimator:
    """The file, whose lifter gets the joints that a conversion makes of its own detector's.

    A lifter of sequences is told the conversion with every frame.
    """
    network = lifter.lifter
    if network is None or network.whole is None or network.whole.conversion is None:
        return lifter
    whole = dataclasses.replace(network.whole, conversion=conversion)
    return dataclasses.replace(lifter, lifter=dataclasses.replace(network, whole=whole))
