"""2D joints that another program found: a file of them, or a folder of OpenPose's files."""

from __future__ import annotations

import os
import pathlib

from capf_jax.errors import UserError
from capf_jax.inference import given_joints, joints2d_files
from capf_jax.inference.joints2d_files import ANY_PICTURE, JointsFile
from capf_jax.pose import skeletons
from capf_jax.runtime import files

_ENDING = '_keypoints.json'  # OpenPose's, behind the name of the picture


def read(path: str | os.PathLike, skeleton: str = '') -> JointsFile:
    """Reads a file of any form of `joints2d_files`, or a folder of OpenPose's files.

    Args:
      path: the file, or a folder with a file NAME_keypoints.json for each picture, as OpenPose's
        --write_json makes it.
      skeleton: see `joints2d_files.read`.

    Raises:
      FileNotFoundError: there is neither a file nor a folder.
      UserError: a file cannot be read, a folder has none, or its files differ in their skeletons.
    """
    folder = files.user_path(path)
    if not folder.is_dir():
        return joints2d_files.read(path, skeleton)
    names = sorted(one for one in pathlib.Path(folder).iterdir() if one.name.endswith(_ENDING))
    if not names:
        raise UserError(
            f'{folder} holds no file NAME{_ENDING}, as OpenPose writes them: name another folder, '
            'or a file of 2D joints'
        )
    pictures, before = {}, ''
    for name in names:
        one = joints2d_files.read(name, skeleton)
        if ANY_PICTURE not in one.pictures:
            raise UserError(f'{name} is not of OpenPose; give it by itself')
        people = one.pictures[ANY_PICTURE]
        if len(people) and before and one.skeleton != before:
            raise UserError(
                f'{name} has the joints of {one.skeleton}, and files before it those of '
                f'{before}: give folders of one skeleton each'
            )
        before = one.skeleton if len(people) else before
        pictures[name.name.removesuffix(_ENDING)] = people
    skeleton = before or one.skeleton
    # A file without people says nothing of their joints.
    nobody = given_joints.of_people(skeletons.get(skeleton), [])
    pictures = {name: people if len(people) else nobody for name, people in pictures.items()}
    return JointsFile(pathlib.Path(folder), skeleton, pictures)


def check_pictures(joints: JointsFile, *, single: bool) -> None:
    """UserError where a file that belongs to one picture, whichever it is, is given for several."""
    if ANY_PICTURE in joints.pictures and not single:
        raise UserError(
            f'{joints.path} holds the people of one picture and does not say of which: for several '
            f'give the folder of their files NAME{_ENDING}'
        )
