"""From the people of each frame to finished `Tracks`: ids, smoothing, bones, floor, feet.

1. `person_tracking`: who is who.
2. `swapped_sides`: left and right joints that were mixed up get their own names back.
3. `smooth`: 2D joints and poses of each person over time; bones of constant length; the root's
   place is fitted anew to both, and smoothed.
4. `short_gaps`: who was hidden for a moment is filled in, marked as not sure.
5. `in_world`: axes with the floor under the feet; feet that stand do not slide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference import tracks
from capf_jax.inference.photograph_camera import undistort_points
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import (
    constant_bones,
    floor,
    person_tracking,
    planted_feet,
    short_gaps,
    standing_feet,
    swapped_sides,
)
from capf_jax.inference.video.person_tracking import Tracker
from capf_jax.inference.video.smoothing import Smoothing
from capf_jax.inference.video.track_parts import StoredFrame
from capf_jax.pose import root_position, skeletons

_ROOT_SHARE = 0.5  # the root's cutoff, a share of that of joints: its distance is less exact


@dataclasses.dataclass(frozen=True)
class Finish:
    """What is done to the people of a video when all frames are there.

    Attributes:
      smoothing: of 2D joints, poses and roots.
      bones: whether each person's bones keep their lengths.
      axes: of the result; 'y_up' and 'z_up' come with a floor.
      feet: whether feet that stand are kept from sliding.
      up: [3], what is up in the camera frame, where it is known.
      gaps: seconds; a person who is hidden for no longer is filled in, as a guess.
    """

    smoothing: Smoothing = dataclasses.field(default_factory=Smoothing)
    bones: bool = True
    axes: str = 'camera'
    feet: bool = True
    up: np.ndarray | None = None
    gaps: float = short_gaps.LONGEST


def of_frames(frames: Iterable[StoredFrame], fps: float) -> Tracks:
    """The tracks of the people of each frame, numbered from 0 in the order of their coming.

    Args:
      frames: at least one.
      fps: frames per second where there is one frame alone; else their times tell it.

    Raises:
      UserError: no frame.
    """
    tracker, people, numbers, times, rows = Tracker(), [], [], [], []
    for frame in frames:
        rows.append(tracker.update(frame.people, frame.colours, frame.time))
        people.append(frame.people)
        numbers.append(frame.number)
        times.append(frame.time)
    if not people:
        raise UserError('the video has no frame in which anyone could be looked for')
    fewest = min(person_tracking.FEWEST_SIGHTINGS, len(people))
    ids = person_tracking.ids_of(tracker.known, fewest)
    for position, (one, row) in enumerate(zip(people, rows, strict=True)):
        own = ids[row] if len(row) else row
        people[position] = dataclasses.replace(one, ids=own).select(own >= 0)
    return tracks.of_people(people, fps=fps, times=times, frames=numbers)


def finished(raw: Tracks, finish: Finish) -> Tracks:
    """All that comes behind the frames, in order."""
    if finish.smoothing.name != 'none':
        raw = swapped_sides.with_sides(raw)
    smoothed = smooth(raw, finish.smoothing, finish.bones)
    whole, unsmoothed = (short_gaps.filled(one, finish.gaps) for one in (smoothed, raw))
    return in_world(whole, finish, unsmoothed)


def finished_live(live: Tracks, finish: Finish) -> Tracks:
    """What is left to do with people who were smoothed while they came."""
    smoothed = smooth(live, finish.smoothing, finish.bones, is_smooth=True)
    return in_world(short_gaps.filled(smoothed, finish.gaps), finish)


def smooth(
    raw: Tracks, smoothing: Smoothing, bones: bool = True, *, is_smooth: bool = False
) -> Tracks:
    """Each person's joints smoothed over time, and bones of constant length.

    Nothing is smoothed across a gap, and no one is added where someone is absent.

    Args:
      raw: along 'camera'.
      smoothing: how.
      bones: whether each person's bones keep their lengths.
      is_smooth: whether the joints were smoothed before, so that bones and roots alone are left;
        roots are placed anew where bones change.
    """
    if not len(raw) or ((smoothing.name == 'none' or is_smooth) and not bones):
        return raw
    skeleton, lens = skeletons.get(raw.skeleton), raw.camera
    arrays = {name: np.array(getattr(raw, name)) for name in ('joints2d', 'joints3d', 'root')}
    slower = dataclasses.replace(smoothing, cutoff=_ROOT_SHARE * smoothing.cutoff)
    for person in range(len(raw)):
        valid = raw.valid[person]
        if not valid.any():
            continue
        pose = raw.joints3d[person] - raw.root[person][:, None]
        metre = float(np.median(raw.boxes[person, valid, 2:].max(axis=-1))) / 1.7
        joints2d = raw.joints2d[person]
        if not is_smooth:
            joints2d = smoothing.values(joints2d, raw.times, valid, metre)
            pose = smoothing.values(pose, raw.times, valid)
        if bones:
            lengths = constant_bones.bone_lengths(pose, valid, skeleton)
            pose = constant_bones.with_bone_lengths(pose, lengths, skeleton)
        root = np.array(raw.root[person])
        root[valid] = root_position.root_position(
            pose[valid],
            undistort_points(joints2d[valid], lens),
            np.asarray(lens.intrinsics),
            raw.confidence[person, valid],
        )
        no_place = ~np.isfinite(root).all(axis=-1) & valid
        root[no_place] = raw.root[person, no_place]
        root = slower.values(root, raw.times, valid)
        arrays['joints2d'][person] = joints2d
        arrays['root'][person] = root
        arrays['joints3d'][person] = pose + root[:, None]
    return dataclasses.replace(raw, **arrays)


def in_world(camera_tracks: Tracks, finish: Finish, unsmoothed: Tracks | None = None) -> Tracks:
    """Tracks along the wanted axes, above the floor; feet that stand do not slide.

    Args:
      camera_tracks: along 'camera', smoothed.
      finish: axes, feet and up.
      unsmoothed: the same before smoothing, which shows short steps; None where there is none.
    """
    if finish.axes == 'camera' and not finish.feet:
        return camera_tracks
    stands = standing_feet.standing(camera_tracks, unsmoothed)
    out = camera_tracks
    if finish.feet:
        out = planted_feet.without_sliding(out, stands)
    if finish.axes == 'camera':
        return out
    plane = floor.find(out, stands, finish.up)
    if plane is None:
        level = np.array([0.0, -1.0, 0.0])
        plane = floor.Floor(level if finish.up is None else finish.up, 0.0, 0)
    return floor.above(out, finish.axes, plane)
