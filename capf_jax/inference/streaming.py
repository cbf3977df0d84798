"""A live source for a sequence lifter: each new frame is encoded once, and not in all F windows.

    stream = streaming.open_stream(estimator)
    memory = streaming.START
    for joints2d, crop, joints2d_crop in source:
        memory, pose = stream.push(memory, joints2d, crop, joints2d_crop)
    poses = stream.finish(memory)

The poses are those of `Estimator.lift_sequence` on the window of every frame, padded at the ends of
the video by repeating its first or last frame. A lifter of centred windows knows the future: its
poses come `stream.delay` frames late, and `finish` gives the last ones. Those of a causal lifter
come at once. The memory of a video is a frozen value, which does not grow.

People of whole pictures, whom nobody has detected yet, are streamed by `Estimator.stream`, which
keeps one memory for each of them (`video/sequence_people.py`).
"""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference import sequences
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.networks import Network
from capf_jax.pose.flip import flip_pose


@dataclasses.dataclass(frozen=True, eq=False)
class Memory:
    """What a stream remembers of one person's video.

    Attributes:
      tokens: of the last (F - 1) * step + 1 frames, the oldest first, [1, frames, J, D], and with
        the flip test [2, frames, J, D], of which the second is the mirrored person; None before
        the first frame.
      number: frames so far.
    """

    tokens: jax.Array | None = None
    number: int = 0


START = Memory()


@dataclasses.dataclass(frozen=True, eq=False)
class SequenceStream:
    """What does not change from frame to frame. One can serve any number of videos.

    Attributes:
      estimator: it holds a sequence lifter.
      flip_test: whether every pose is averaged with that of the mirrored person.
      frames: F.
      step: frames of the video from one frame of a window to the next.
      causal: whether the target of a window is its last frame.
    """

    estimator: Estimator
    flip_test: bool
    frames: int
    step: int
    causal: bool

    @property
    def delay(self) -> int:
        """How many frames after its own a pose comes."""
        return 0 if self.causal else self.frames // 2 * self.step

    @property
    def length(self) -> int:
        """Frames of the video that a window reaches over, and that a memory holds."""
        return (self.frames - 1) * self.step + 1

    def push(
        self, memory: Memory, joints2d: Any, crop: Any = None, joints2d_crop: Any = None
    ) -> tuple[Memory, np.ndarray | None]:
        """The next frame of a video.

        Args:
          memory: of the frames before; `START` for the first one.
          joints2d: [J, 2], normalised by the image as for `Estimator.lift`.
          crop: uint8 RGB [H, W, 3]; for a PoseFormer None.
          joints2d_crop: [J, 2], pixels of the crop; for a PoseFormer None.

        Returns:
          The memory for the next frame, and the pose [J, 3] of the frame `delay` frames ago, as
          from `Estimator.lift_sequence`; None while there is no such frame.

        Raises:
          UserError: wrong inputs, see `Estimator.lift_sequence`.
        """
        return self.advance(memory, self.encode(joints2d, crop, joints2d_crop))

    def finish(self, memory: Memory) -> list[np.ndarray]:
        """The poses that are still to come at the end of a video, at most `delay` of them."""
        poses = []
        for _ in range(self.delay if memory.tokens is not None else 0):
            assert memory.tokens is not None
            memory, pose = self.advance(memory, memory.tokens[:, -1])
            if pose is not None:
                poses.append(pose)
        return poses

    def encode(self, joints2d: Any, crop: Any = None, joints2d_crop: Any = None) -> jax.Array:
        """The tokens of one frame, [1, J, D], with the flip test [2, J, D]; arguments as `push`."""
        windows = [
            None if array is None else np.asarray(array)[None, None]
            for array in (joints2d, crop, joints2d_crop)
        ]
        one = sequences.checked(self.estimator, *windows, frames=1)
        copies = [one, sequences.mirrored(self.estimator, *one)] if self.flip_test else [one]
        both = [
            np.concatenate([array[:, 0] for array in arrays])
            for arrays in zip(*copies, strict=True)
        ]
        return sequences.encode(self.estimator, *both)

    def advance(self, memory: Memory, new: Any) -> tuple[Memory, np.ndarray | None]:
        """`push` of a frame whose tokens are made already, as `encode` gives them."""
        if memory.tokens is None:  # The first frame stands for those before it.
            tokens = jnp.repeat(new[:, None], self.length, axis=1)
        else:
            tokens = jnp.concatenate([memory.tokens[:, 1:], new[:, None]], axis=1)
        memory = Memory(tokens, memory.number + 1)
        if memory.number <= self.delay:
            return memory, None
        lifter = cast(Network, self.estimator.sequence_lifter)
        poses = np.asarray(
            sequences.over_time(
                lifter.module, self.estimator.precision, self.step, lifter.variables, tokens
            )
        )
        if not self.flip_test:
            return memory, poses[0]
        return memory, (poses[0] + flip_pose(poses[1], self.estimator.skeleton)) / 2


def open_stream(estimator: Estimator, *, flip_test: bool = False) -> SequenceStream:
    """The stream of a file that holds a sequence lifter.

    Args:
      estimator: of that file, which says how its windows were made.
      flip_test: average with the prediction for the mirrored person, which doubles the work.

    Raises:
      UserError: the file holds none, or one that needs more than crops and joints.
    """
    lifter = estimator.sequence_lifter
    if lifter is None:
        raise UserError(
            f'{estimator.path} holds no lifter of sequences; those are in files of PoseFormer and '
            'CA-PF-S'
        )
    if sequences.needs_crops(lifter):
        sequences.check_model(estimator, lifter)
    metadata = estimator.metadata
    return SequenceStream(
        estimator,
        flip_test,
        lifter.module.frames,
        int(metadata.get('frame_step', 1)),
        bool(metadata.get('causal', False)),
    )
