"""Which skeleton the 2D joints of a file have: by their names, by the user, or by their number.

Programs spell the joints in their own ways, which are brought to one spelling: 'LShoulder', 'left
shoulder' and 'left-shoulder' are left_shoulder.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton

# Skeletons of formats that name none, by the number of joints.
_BY_NUMBER = {17: 'coco17', 26: 'halpe26', 25: 'body_25'}
_KNOWN = ('coco17', 'h36m17', 'halpe26', 'body_25', 'mpi_inf_3dhp17')  # by names of joints
# What other programs call a joint of a skeleton, where it is not the same in other letters.
_OTHER_NAMES = {
    'h36m17': {
        'root': 'pelvis', 'hip': 'pelvis', 'neck_base': 'nose', 'neck_nose': 'nose',
        'left_foot': 'left_ankle', 'right_foot': 'right_ankle',
    },
    'halpe26': {'hip': 'pelvis', 'head': 'head_top'},
    'body_25': {'mid_hip': 'pelvis'},
    'mpi_inf_3dhp17': {'root': 'pelvis'},
}  # fmt: skip
# MMPose's files of Human3.6M call the right leg left and the left one right, and the arms what they
# are. The joints stand in the order of H36M17, as the poses of the same frames show.
_MMPOSE_H36M = (
    'root', 'left_hip', 'left_knee', 'left_foot', 'right_hip', 'right_knee', 'right_foot',
    'spine', 'thorax', 'neck_base', 'head', 'left_shoulder', 'left_elbow', 'left_wrist',
    'right_shoulder', 'right_elbow', 'right_wrist',
)  # fmt: skip
OPTION = '--joints2d_skeleton=NAME'


@dataclasses.dataclass(frozen=True, eq=False)
class JointOrder:
    """The skeleton of a file's joints, and where each of its joints stands in the file.

    Attributes:
      skeleton: the joints.
      places: [J], the number that each joint of the skeleton has in the file.
    """

    skeleton: Skeleton
    places: np.ndarray

    def arranged(self, joints: np.ndarray, where: str) -> np.ndarray:
        """A person's joints [J, ...] in the order of the skeleton.

        Raises:
          UserError: the person has another number of joints; `where` says which person.
        """
        if len(joints) != len(self.places):
            raise UserError(
                f'{where} has {len(joints)} joints; {self.skeleton.name!r} needs '
                f'{len(self.places)} of each person of the file'
            )
        return joints[self.places]


def of_file(
    path: pathlib.Path, number: int, names: Sequence[str] | None = None, choice: str = ''
) -> JointOrder:
    """The skeleton of a file's joints.

    Args:
      path: the file, for messages.
      number: of the joints of its first person.
      names: what the file calls its joints, in its order; None where it does not say.
      choice: the name of the skeleton, as the user says; '' where the user does not.

    Raises:
      UserError: the names are those of no skeleton, or of another one than the user says; or there
        is no skeleton of this name, or of so many joints.
    """
    if choice:
        skeletons.get(choice)
    by_names = None if names is None else _by_names(names)
    if by_names is not None and choice and by_names.skeleton.name != choice:
        raise UserError(
            f'{path} names the joints of {by_names.skeleton.name!r}, which are not those of '
            f'{choice!r}: leave {OPTION} out'
        )
    if by_names is not None:
        return by_names
    if names is not None and not choice:
        raise _unknown(path, names)
    if not choice and number not in _BY_NUMBER:
        known = ', '.join(f'{count} ({name})' for count, name in _BY_NUMBER.items())
        raise UserError(
            f'{path} has people of {number} joints; known are {known}, and others by {OPTION}'
        )
    skeleton = skeletons.get(choice or _BY_NUMBER[number])
    return JointOrder(skeleton, np.arange(len(skeleton)))


def check_same(path: pathlib.Path, named: str, choice: str) -> None:
    """UserError where a file names another skeleton than the user does, if the user names one."""
    if choice and skeletons.get(choice).name != named:
        raise UserError(
            f'{path} says that its joints are {named!r}, not {choice!r}: leave {OPTION} out'
        )


def names_of(path: pathlib.Path, content: Any) -> tuple[str, ...] | None:
    """What a file of COCO's annotations calls the joints of its people; None where it does not.

    Args:
      path: the file, for messages.
      content: of it, with 'annotations'.

    Raises:
      UserError: its people are of several categories whose joints differ.
    """
    used = {entry.get('category_id') for entry in content['annotations']}
    lists = {
        tuple(str(name) for name in category['keypoints'])
        for category in content.get('categories') or ()
        if category.get('keypoints') and (category.get('id') in used or None in used)
    }
    if len(lists) > 1:
        raise UserError(
            f'{path} has annotations of {len(lists)} categories with other joints each; keep those '
            'of people alone'
        )
    return next(iter(lists), None)


def _by_names(names: Sequence[str]) -> JointOrder | None:
    spelled = tuple(map(_spelled, names))
    if spelled == _MMPOSE_H36M:
        return JointOrder(skeletons.H36M17, np.arange(len(spelled)))
    for skeleton in map(skeletons.get, _KNOWN):
        joints = _in_words_of(skeleton, spelled)
        if sorted(joints) == sorted(skeleton.joints):
            places = np.array([joints.index(joint) for joint in skeleton.joints])
            return JointOrder(skeleton, places)
    return None


def _unknown(path: pathlib.Path, names: Sequence[str]) -> UserError:
    """What is wrong with names that are those of no skeleton, told beside the likest one."""
    spelled = tuple(map(_spelled, names))

    def unlike(skeleton: Skeleton) -> int:
        return len({*_in_words_of(skeleton, spelled)} ^ {*skeleton.joints})

    skeleton = min(map(skeletons.get, _KNOWN), key=unlike)
    joints = _in_words_of(skeleton, spelled)
    wrong = next((n for n, one in enumerate(joints) if one not in skeleton.joints), None)
    if wrong is not None:
        what = f'joint {wrong} is {errors.printable(names[wrong])!r}, which {skeleton.name} lacks'
    elif len({*joints}) < len(joints):
        twice = next(one for n, one in enumerate(joints) if one in joints[:n])
        what = f'{twice!r} comes twice'
    else:
        what = f'{next(one for one in skeleton.joints if one not in joints)!r} is missing'
    return UserError(
        f'{path} names joints that are those of no known skeleton ({", ".join(_KNOWN)}): {what}; '
        f'where the joints are those of one, in its order, say so by {OPTION}'
    )


def _in_words_of(skeleton: Skeleton, spelled: Sequence[str]) -> list[str]:
    others = _OTHER_NAMES.get(skeleton.name, {})
    return [one if one in skeleton.joints else others.get(one, one) for one in spelled]


def _spelled(name: str) -> str:
    """A joint's name in lower case with underscores, 'left_' or 'right_' first."""
    name = re.sub(r'\(.*?\)', '', name).strip()
    name = re.sub(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', '_', name).lower()
    name = re.sub(r'[^a-z0-9]+', '_', name).strip('_')
    return re.sub(r'^r_', 'right_', re.sub(r'^l_', 'left_', name))
