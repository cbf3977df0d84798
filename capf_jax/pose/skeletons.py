"""Joint sets by name: their joints, parents, root, and what a mirror swaps."""

from __future__ import annotations

import dataclasses

from capf_jax import errors

SURE = 0.3  # confidence that a joint needs to be shown as sure


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """A named joint set. The joint names say which joints are left and right.

    Attributes:
      name: the name that configurations and annotation files use.
      joints: joint names in storage order; `left_*` and `right_*` come in pairs.
      parents: index of each joint's parent; the root is its own parent.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Storage index of a joint.

        Raises:
          UserError: the skeleton has no such joint.
        """
        if joint not in self.joints:
            near = errors.nearest(joint, self.joints)
            raise errors.UserError(
                f'skeleton {self.name!r} has no joint {joint!r}; the nearest name is {near!r}'
            )
        return self.joints.index(joint)

    @property
    def root(self) -> int:
        """Index of the joint that 3D poses are relative to."""
        return next(j for j, parent in enumerate(self.parents) if j == parent)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """A pair (parent, child) for every joint but the root."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p != j)

    @property
    def left(self) -> tuple[int, ...]:
        """Indices of the joints named `left_*`."""
        return tuple(j for j, name in enumerate(self.joints) if name.startswith('left_'))

    @property
    def right(self) -> tuple[int, ...]:
        """Indices of the joints named `right_*`, in the order of `left`."""
        return tuple(self.joints.index('right_' + self.joints[j][5:]) for j in self.left)

    @property
    def flip(self) -> tuple[int, ...]:
        """Permutation that swaps left and right: mirrored = joints[flip]."""
        order = list(range(len(self)))
        for left, right in zip(self.left, self.right, strict=True):
            order[left], order[right] = right, left
        return tuple(order)


H36M17 = Skeleton(
    'h36m17',
    (
        'pelvis',
        'right_hip', 'right_knee', 'right_ankle',
        'left_hip', 'left_knee', 'left_ankle',
        'spine', 'thorax', 'nose', 'head',
        'left_shoulder', 'left_elbow', 'left_wrist',
        'right_shoulder', 'right_elbow', 'right_wrist',
    ),
    (0, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
)  # fmt: skip

# The points on the body's surface, which whole-body detectors know as well, show which way a foot,
# a knee or a chest points. A detector that learns them has features that tell a limb's direction.
H36M17_SURFACE = Skeleton(
    'h36m17_surface',
    (
        *H36M17.joints,
        'right_toe', 'right_heel', 'right_kneecap', 'right_calf',
        'left_toe', 'left_heel', 'left_kneecap', 'left_calf',
        'left_fingers', 'right_fingers',
        'left_ear', 'right_ear',
        'left_breast', 'left_shoulder_blade', 'left_seat',
        'right_breast', 'right_shoulder_blade', 'right_seat',
        'belly',
    ),
    (*H36M17.parents, 3, 3, 2, 2, 6, 6, 5, 5, 13, 16, 10, 10, 8, 8, 0, 8, 8, 0, 7),
)  # fmt: skip

MPI_INF_3DHP17 = Skeleton(
    'mpi_inf_3dhp17',
    (
        'head_top', 'neck',
        'right_shoulder', 'right_elbow', 'right_wrist',
        'left_shoulder', 'left_elbow', 'left_wrist',
        'right_hip', 'right_knee', 'right_ankle',
        'left_hip', 'left_knee', 'left_ankle',
        'pelvis', 'spine', 'head',
    ),
    (16, 15, 1, 2, 3, 1, 5, 6, 14, 8, 9, 14, 11, 12, 14, 14, 1),
)  # fmt: skip

COCO17 = Skeleton(
    'coco17',
    (
        'nose',
        'left_eye', 'right_eye', 'left_ear', 'right_ear',
        'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
        'left_wrist', 'right_wrist',
        'left_hip', 'right_hip', 'left_knee', 'right_knee',
        'left_ankle', 'right_ankle',
    ),
    (0, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
)  # fmt: skip

# COCO's joints, and a head top, a neck, a pelvis and feet (Halpe-FullBody's 26 body joints).
HALPE26 = Skeleton(
    'halpe26',
    (
        *COCO17.joints,
        'head_top', 'neck', 'pelvis',
        'left_big_toe', 'right_big_toe', 'left_small_toe', 'right_small_toe',
        'left_heel', 'right_heel',
    ),
    (
        18, 0, 0, 1, 2, 18, 18, 5, 6, 7, 8, 19, 19, 11, 12, 13, 14,
        0, 19, 19, 15, 16, 15, 16, 15, 16,
    ),
)  # fmt: skip

# OpenPose's model BODY_25.
BODY_25 = Skeleton(
    'body_25',
    (
        'nose', 'neck',
        'right_shoulder', 'right_elbow', 'right_wrist',
        'left_shoulder', 'left_elbow', 'left_wrist',
        'pelvis',
        'right_hip', 'right_knee', 'right_ankle',
        'left_hip', 'left_knee', 'left_ankle',
        'right_eye', 'left_eye', 'right_ear', 'left_ear',
        'left_big_toe', 'left_small_toe', 'left_heel',
        'right_big_toe', 'right_small_toe', 'right_heel',
    ),
    (
        1, 8, 1, 2, 3, 1, 5, 6, 8, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16,
        14, 14, 14, 11, 11, 11,
    ),
)  # fmt: skip

SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (H36M17, H36M17_SURFACE, MPI_INF_3DHP17, COCO17, HALPE26, BODY_25)
}


def get(name: str) -> Skeleton:
    """The skeleton called `name`.

    Raises:
      UserError: there is no such skeleton.
    """
    if name not in SKELETONS:
        raise errors.unknown('skeleton', name, SKELETONS)
    return SKELETONS[name]
