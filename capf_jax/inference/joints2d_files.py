"""Files of 2D joints that another program found, by picture.

Four forms of JSON are read, and told apart by their content:

- own data's: {"skeleton": "coco17", "entries": [{"image": "a.jpg", "joints2d": [[x, y], ...],
  "confidence": [...], "box": [x, y, w, h]}, ...]}, with "cameras" if there are any, as
  data_pipeline/datasets/own_data/README.md describes it; 3D joints are not needed;
- COCO's annotations: {"images": [...], "annotations": [{"image_id", "keypoints": [x, y, v, ...]}]};
- COCO's results, as AlphaPose writes them: [{"image_id": "a.jpg", "keypoints": [x, y, c, ...]}];
- OpenPose's, of one picture: {"people": [{"pose_keypoints_2d": [x, y, c, ...]}]}.

Which skeleton the joints of the last three have is told by `joints2d_skeletons`. Pixels are counted
from the centre of the top left one, x to the right and y down.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference import given_joints, joints2d_skeletons
from capf_jax.inference.given_joints import GivenJoints
from capf_jax.inference.joints2d_skeletons import JointOrder
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files

ANY_PICTURE = ''  # the name of the picture of a file that names none


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


def read(path: str | os.PathLike, skeleton: str = '') -> JointsFile:
    """Reads a file of 2D joints.

    Args:
      path: the file, as a user may write it.
      skeleton: the name of the joints' skeleton, of a file that does not say it; '' for the usual
        one of so many joints.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is of none of the forms, or of a skeleton that is not known or not the named
        one, or damaged.
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
                return reader(local, content, skeleton)
            except UserError:
                raise
            except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
                what = f'something in it is of another kind than the form has ({error})'
                if isinstance(error, KeyError):
                    what = f'it lacks {error}'
                raise UserError(
                    f'{source} is not whole: {what}; see python -m capf_jax.predict --help for '
                    'the forms'
                ) from None
    raise UserError(
        f'{source} holds 2D joints in no form that is known: an object with skeleton and entries, '
        "COCO's images and annotations, a list of results with keypoints, or OpenPose's people"
    )


def _own_data(path: pathlib.Path, content: Any, choice: str) -> JointsFile:
    skeleton = skeletons.get(content['skeleton'])
    joints2d_skeletons.check_same(path, skeleton.name, choice)
    rows: dict[str, list[Any]] = {}
    for number, entry in enumerate(content['entries']):
        if 'video' in entry:
            raise UserError(
                f'{path}: entry {number} is of a video; videos are not read yet, give pictures'
            )
        where = f'{path}: entry {number} ({entry["image"]})'
        joints = given_joints.numbers(entry['joints2d'], where)
        if joints.ndim == 2 and joints.shape[1] == 3:
            joints, confidence = joints[:, :2], joints[:, 2]
        else:
            confidence = np.ones(len(skeleton))
        if entry.get('confidence') is not None:
            confidence = given_joints.numbers(entry['confidence'], where)
        box = entry.get('box')
        box = None if box is None else given_joints.checked_box(box, where)
        rows.setdefault(entry['image'], []).append(
            (
                given_joints.checked_joints(where, skeleton, joints, confidence),
                box,
                entry.get('camera') or '',
            )
        )
    pictures = {}
    for name, people in rows.items():
        boxes = [box for _, box, _ in people if box is not None]
        pictures[name] = given_joints.of_people(
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
            given_joints.numbers(
                [fields[key] for key in ('fx', 'fy', 'cx', 'cy')], f'{path}: camera {name}'
            ),
            given_joints.numbers(fields['distortion'], f'{path}: camera {name}')
            if fields.get('distortion')
            else None,
        )
        for name, fields in (content.get('cameras') or {}).items()
    }
    return JointsFile(path, skeleton.name, pictures, cameras)


def _coco_annotations(path: pathlib.Path, content: Any, choice: str) -> JointsFile:
    names = {image['id']: image['file_name'] for image in content['images']}
    rows: dict[str, list[Any]] = {name: [] for name in names.values()}
    with_joints = [entry for entry in content['annotations'] if entry.get('keypoints')]
    if content['annotations'] and not with_joints:
        raise _boxes_alone(path)
    number = len(with_joints[0]['keypoints']) // 3 if with_joints else 17
    joint_names = joints2d_skeletons.names_of(path, content)
    order = joints2d_skeletons.of_file(path, number, joint_names, choice)
    for index, entry in enumerate(content['annotations']):
        where = f'{path}: annotation {index}'
        if not entry.get('keypoints'):
            continue  # It is a box alone, as files have them that were joined with others.
        if entry['image_id'] not in names:
            image = errors.printable(str(entry['image_id']))
            raise UserError(
                f"{where} is of the image {image}, which is none of the file's images; add that, "
                'or leave the annotation out'
            )
        keypoints = _triples(entry['keypoints'], where, order)
        if not keypoints[:, 2].any():
            continue  # Of people who are too small COCO has the box alone.
        # COCO says 1 for a hidden joint and 2 for a visible one; results say a confidence.
        confidence = (keypoints[:, 2] > 0).astype(float)
        box = entry.get('bbox')
        rows[names[entry['image_id']]].append(
            (
                given_joints.checked_joints(where, order.skeleton, keypoints[:, :2], confidence),
                None if box is None else given_joints.checked_box(box, where),
            )
        )
    return JointsFile(path, order.skeleton.name, _stacked(order.skeleton, rows))


def _coco_results(path: pathlib.Path, content: Any, choice: str) -> JointsFile:
    with_joints = [entry for entry in content if entry.get('keypoints')]
    if content and not with_joints:
        raise _boxes_alone(path)
    number = len(with_joints[0]['keypoints']) // 3 if with_joints else 17
    order = joints2d_skeletons.of_file(path, number, choice=choice)
    skeleton = order.skeleton
    rows: dict[str, list[Any]] = {}
    for index, entry in enumerate(content):
        where = f'{path}: result {index}'
        if not entry.get('keypoints'):
            continue  # It is a box alone, as in annotations.
        keypoints = _triples(entry['keypoints'], where, order)
        name = entry['image_id']
        name = name if isinstance(name, str) else f'{int(name):012d}'  # as COCO names its files
        joints = given_joints.checked_joints(
            where, skeleton, keypoints[:, :2], keypoints[:, 2].clip(0, 1)
        )
        rows.setdefault(name, []).append((joints, None))
    return JointsFile(path, skeleton.name, _stacked(skeleton, rows))


def _openpose(path: pathlib.Path, content: Any, choice: str) -> JointsFile:
    people = [person['pose_keypoints_2d'] for person in content['people']]
    order = joints2d_skeletons.of_file(path, len(people[0]) // 3 if people else 25, choice=choice)
    skeleton, joints = order.skeleton, []
    for index, values in enumerate(people):
        where = f'{path}: person {index}'
        person = _triples(values, where, order)
        sure = person[:, 2].clip(0, 1)
        joints.append(given_joints.checked_joints(where, skeleton, person[:, :2], sure))
    return JointsFile(path, skeleton.name, {ANY_PICTURE: given_joints.of_people(skeleton, joints)})


_FORMS: tuple[tuple[Callable[[Any], bool], Callable[[pathlib.Path, Any, str], JointsFile]], ...] = (
    (lambda content: isinstance(content, dict) and 'entries' in content, _own_data),
    (lambda content: isinstance(content, dict) and 'annotations' in content, _coco_annotations),
    (lambda content: isinstance(content, dict) and 'people' in content, _openpose),
    (lambda content: isinstance(content, list), _coco_results),
)


def _boxes_alone(path: pathlib.Path) -> UserError:
    """What is wrong with a file of a detector of people, which has no joints."""
    return UserError(
        f'{path} has no 2D joints (keypoints) of anyone, boxes alone at most; give boxes by '
        '--box=X,Y,WIDTH,HEIGHT instead, one picture at a time'
    )


def _stacked(skeleton: Skeleton, rows: Mapping[str, Sequence[Any]]) -> dict[str, GivenJoints]:
    """Pictures of lists of ((joints, confidence), box or None)."""
    pictures = {}
    for name, people in rows.items():
        boxes = [box for _, box in people]
        given_boxes = None if not boxes or any(box is None for box in boxes) else np.stack(boxes)
        pictures[name] = given_joints.of_people(
            skeleton, [joints for joints, _ in people], given_boxes
        )
    return pictures


def _triples(values: Any, where: str, order: JointOrder) -> np.ndarray:
    """[J, 3] x, y and confidence of a person's joints, in the order of their skeleton."""
    array = given_joints.numbers(values, where)
    if array.ndim != 1 or array.size % 3:
        raise UserError(f'{where} needs three numbers for each joint: x, y and a confidence')
    return order.arranged(array.reshape(-1, 3), where)
