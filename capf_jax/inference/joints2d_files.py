"""Files of 2D joints that another program found, by picture.

Four forms of JSON are read, and told apart by their content:

- own data's: {"skeleton": "coco17", "entries": [{"image": "a.jpg", "joints2d": [[x, y], ...],
  "confidence": [...], "box": [x, y, w, h]}, ...]}, with "cameras" if there are any, as
  data_pipeline/datasets/own_data/README.md describes it; 3D joints are not needed;
- COCO's annotations: {"images": [...], "annotations": [{"image_id", "keypoints": [x, y, v, ...]}]};
- COCO's results, as AlphaPose writes them: [{"image_id": "a.jpg", "keypoints": [x, y, c, ...]}];
- OpenPose's, of one picture: {"people": [{"pose_keypoints_2d": [x, y, c, ...]}]}.

The last three do not name their skeleton, which is told by the number of the joints. Pixels are
counted from the centre of the top left one, x to the right and y down.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files

ANY_PICTURE = ''  # the name of the picture of a file that names none
# Skeletons of formats that name none, by the number of joints.
_BY_NUMBER = {17: 'coco17', 26: 'halpe26', 25: 'body_25'}


@dataclasses.dataclass(frozen=True, eq=False)
class GivenJoints:
    """The 2D joints of N people of one picture.

    Attributes:
      skeleton: of the joints, by name.
      joints: [N, J, 2] pixels; a joint that was not found is where its neighbour is.
      confidence: [N, J], 0 to 1; 0 for a joint that was not found.
      boxes: [N, 4] x, y, width, height, pixels; None where the file gives none.
      camera: the name of the picture's camera; '' where the file says nothing.
    """

    skeleton: str
    joints: np.ndarray
    confidence: np.ndarray
    boxes: np.ndarray | None = None
    camera: str = ''

    def __len__(self) -> int:
        return len(self.joints)


@dataclasses.dataclass(frozen=True, eq=False)
class JointsFile:
    """All people of a file.

    Attributes:
      path: the file.
      skeleton: of all joints, by name.
      pictures: the people of each picture, by its name in the file; '' is any picture, of a file
        that is for one picture and does not name it.
      cameras: those that the file describes, by name.
    """

    path: pathlib.Path
    skeleton: str
    pictures: Mapping[str, GivenJoints]
    cameras: Mapping[str, Camera] = dataclasses.field(default_factory=dict)

    def of_picture(self, picture: str | os.PathLike) -> GivenJoints:
        """The people of a picture: by its path's end as the file has it, or by its name alone.

        Raises:
          UserError: the file does not name the picture.
        """
        if ANY_PICTURE in self.pictures:
            return self.pictures[ANY_PICTURE]
        path = pathlib.PurePath(picture)
        for name, people in self.pictures.items():
            parts = pathlib.PurePath(name).parts
            if path.parts[-len(parts) :] == parts:
                return people
        for name, people in self.pictures.items():
            if path.name == pathlib.PurePath(name).name or path.stem == name:
                return people
        raise UserError(
            f'{self.path} has no 2D joints of {path.name}: its pictures are '
            f'{", ".join(list(self.pictures)[:3]) or "none"}{" ..." * (len(self.pictures) > 3)}'
        )


def read(path: str | os.PathLike) -> JointsFile:
    """Reads a file of 2D joints.

    Args:
      path: the file, as a user may write it.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is of none of the forms, or of a skeleton that is not known, or damaged.
    """
    source = files.user_path(path)
    if not source.is_file():
        raise FileNotFoundError(f'there is no file of 2D joints {source}; correct its name')
    try:
        with files.named(source):
            content = files.parse_json(source.read_bytes())
    except ValueError as error:  # Bad JSON and bad UTF-8 are alike.
        raise UserError(f'{source} is not JSON: {error}') from None
    local = pathlib.Path(source)
    for recognises, reader in _FORMS:
        if recognises(content):
            try:
                return reader(local, content)
            except UserError:
                raise
            except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
                raise UserError(
                    f'{source} is not whole: {type(error).__name__} {error}; see '
                    'python -m capf_jax.predict --help for the forms'
                ) from None
    raise UserError(
        f'{source} holds 2D joints in no form that is known: an object with skeleton and entries, '
        "COCO's images and annotations, a list of results with keypoints, or OpenPose's people"
    )


def _own_data(path: pathlib.Path, content: Any) -> JointsFile:
    skeleton = skeletons.get(content['skeleton'])
    rows: dict[str, list[Any]] = {}
    for number, entry in enumerate(content['entries']):
        if 'video' in entry:
            raise UserError(
                f'{path}: entry {number} is of a video; videos are not read yet, give pictures'
            )
        where = f'{path}: entry {number} ({entry["image"]})'
        joints = _array(entry['joints2d'], where)
        if joints.ndim == 2 and joints.shape[1] == 3:
            joints, confidence = joints[:, :2], joints[:, 2]
        else:
            confidence = np.ones(len(skeleton))
        if entry.get('confidence') is not None:
            confidence = _array(entry['confidence'], where)
        box = entry.get('box')
        box = None if box is None else _box(box, where)
        rows.setdefault(entry['image'], []).append(
            (_checked(where, skeleton, joints, confidence), box, entry.get('camera') or '')
        )
    pictures = {}
    for name, people in rows.items():
        boxes = [box for _, box, _ in people if box is not None]
        pictures[name] = _people(
            skeleton,
            [joints for joints, _, _ in people],
            np.stack(boxes) if len(boxes) == len(people) else None,
            people[0][2],
        )
    cameras = {
        name: Camera(
            name,
            None,
            None,
            _array([fields[key] for key in ('fx', 'fy', 'cx', 'cy')], f'{path}: camera {name}'),
            _array(fields['distortion'], f'{path}: camera {name}')
            if fields.get('distortion')
            else None,
        )
        for name, fields in (content.get('cameras') or {}).items()
    }
    return JointsFile(path, skeleton.name, pictures, cameras)


def _coco_annotations(path: pathlib.Path, content: Any) -> JointsFile:
    names = {image['id']: image['file_name'] for image in content['images']}
    rows: dict[str, list[Any]] = {name: [] for name in names.values()}
    number = len(content['annotations'][0]['keypoints']) // 3 if content['annotations'] else 17
    skeleton = _by_number(path, number)
    for index, entry in enumerate(content['annotations']):
        where = f'{path}: annotation {index}'
        keypoints = _triples(entry['keypoints'], where)
        if not keypoints[:, 2].any():
            continue  # Of people who are too small COCO has the box alone.
        # COCO says 1 for a hidden joint and 2 for a visible one; results say a confidence.
        confidence = (keypoints[:, 2] > 0).astype(float)
        box = entry.get('bbox')
        rows[names[entry['image_id']]].append(
            (
                _checked(where, skeleton, keypoints[:, :2], confidence),
                None if box is None else _box(box, where),
            )
        )
    return JointsFile(path, skeleton.name, _stacked(skeleton, rows))


def _coco_results(path: pathlib.Path, content: Any) -> JointsFile:
    skeleton = _by_number(path, len(content[0]['keypoints']) // 3 if content else 17)
    rows: dict[str, list[Any]] = {}
    for index, entry in enumerate(content):
        where = f'{path}: result {index}'
        keypoints = _triples(entry['keypoints'], where)
        name = entry['image_id']
        name = name if isinstance(name, str) else f'{int(name):012d}'  # as COCO names its files
        joints = _checked(where, skeleton, keypoints[:, :2], keypoints[:, 2].clip(0, 1))
        rows.setdefault(name, []).append((joints, None))
    return JointsFile(path, skeleton.name, _stacked(skeleton, rows))


def _openpose(path: pathlib.Path, content: Any) -> JointsFile:
    people = [
        _triples(person['pose_keypoints_2d'], f'{path}: person {index}')
        for index, person in enumerate(content['people'])
    ]
    skeleton = _by_number(path, len(people[0]) if people else 25)
    joints = [
        _checked(f'{path}: person {index}', skeleton, person[:, :2], person[:, 2].clip(0, 1))
        for index, person in enumerate(people)
    ]
    return JointsFile(path, skeleton.name, {ANY_PICTURE: _people(skeleton, joints)})


_FORMS: tuple[tuple[Callable[[Any], bool], Callable[[pathlib.Path, Any], JointsFile]], ...] = (
    (lambda content: isinstance(content, dict) and 'entries' in content, _own_data),
    (lambda content: isinstance(content, dict) and 'annotations' in content, _coco_annotations),
    (lambda content: isinstance(content, dict) and 'people' in content, _openpose),
    (lambda content: isinstance(content, list), _coco_results),
)


def given(
    joints2d: Any, confidence: Any = None, skeleton: str = 'coco17', boxes: Any = None
) -> GivenJoints:
    """Arrays of 2D joints, checked.

    Args:
      joints2d: [N, J, 2] pixels.
      confidence: [N, J], 0 to 1; 1 for all where it is None.
      skeleton: of the joints, by name.
      boxes: [N, 4] x, y, width, height, pixels, or None.

    Raises:
      UserError: an unknown skeleton, another number of joints, numbers that are not finite.
    """
    joint_set = skeletons.get(skeleton)
    joints = _array(joints2d, 'joints2d')
    if joints.ndim != 3:
        raise UserError(f'joints2d is {list(joints.shape)}; it must be [people, joints, 2]')
    sure = np.ones(joints.shape[:2]) if confidence is None else _array(confidence, 'confidence')
    if len(sure) != len(joints):
        raise UserError(f'there are joints2d of {len(joints)} people, confidence of {len(sure)}')
    people = [
        _checked(f'joints2d of person {index}', joint_set, *pair)
        for index, pair in enumerate(zip(joints, sure, strict=True))
    ]
    return _people(joint_set, people, None if boxes is None else _array(boxes, 'boxes'))


def _stacked(skeleton: Skeleton, rows: Mapping[str, Sequence[Any]]) -> dict[str, GivenJoints]:
    """Pictures of lists of ((joints, confidence), box or None)."""
    pictures = {}
    for name, people in rows.items():
        boxes = [box for _, box in people]
        given_boxes = None if not boxes or any(box is None for box in boxes) else np.stack(boxes)
        pictures[name] = _people(skeleton, [joints for joints, _ in people], given_boxes)
    return pictures


def _people(
    skeleton: Skeleton,
    people: Sequence[tuple[np.ndarray, np.ndarray]],
    boxes: np.ndarray | None = None,
    camera: str = '',
) -> GivenJoints:
    joints = np.array([each for each, _ in people]).reshape(-1, len(skeleton), 2)
    confidence = np.array([each for _, each in people]).reshape(-1, len(skeleton))
    return GivenJoints(skeleton.name, joints, confidence, boxes, camera)


def _by_number(path: pathlib.Path, number: int) -> Skeleton:
    if number not in _BY_NUMBER:
        raise UserError(
            f'{path} has people of {number} joints; known are '
            f'{", ".join(f"{count} ({name})" for count, name in _BY_NUMBER.items())}, and others '
            'by name, in the form with skeleton and entries'
        )
    return skeletons.get(_BY_NUMBER[number])


def _triples(values: Any, where: str) -> np.ndarray:
    array = _array(values, where)
    if array.ndim != 1 or array.size % 3:
        raise UserError(f'{where} needs three numbers for each joint: x, y and a confidence')
    return array.reshape(-1, 3)


def _array(values: Any, where: str) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f'{where} holds things that are no numbers, or lists of any length') from (
            None
        )


def _box(values: Any, where: str) -> np.ndarray:
    """[4] x, y, width, height of a box, pixels."""
    box = _array(values, where)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[2:] > 0).all():
        raise UserError(f'{where} has the box {str(values)[:60]}; it must be x, y, width, height')
    return box


def _checked(
    where: str, skeleton: Skeleton, joints: np.ndarray, confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A person's joints [J, 2] and confidence [J]; those that were not found get a place.

    A joint without a place takes that of the nearest joint on the way to the root that has one, or
    else the middle of all that have one.
    """
    if joints.shape != (len(skeleton), 2) or confidence.shape != (len(skeleton),):
        raise UserError(
            f'{where} has joints {list(joints.shape)} and confidence {list(confidence.shape)}; '
            f'{skeleton.name!r} needs [{len(skeleton)}, 2] and [{len(skeleton)}]'
        )
    usable = np.isfinite(joints).all(axis=-1) & (confidence > 0)
    if not np.isfinite(joints[confidence > 0]).all():
        raise UserError(
            f'{where} holds NaN or infinity; give such a joint the confidence 0, or leave it out'
        )
    joints, confidence = joints.copy(), np.where(usable, confidence, 0.0)
    middle = joints[usable].mean(axis=0) if usable.any() else np.zeros(2)
    for joint in np.flatnonzero(~usable):
        other = joint
        while not usable[other] and skeleton.parents[other] != other:
            other = skeleton.parents[other]
        joints[joint] = joints[other] if usable[other] else middle
    return joints, confidence
