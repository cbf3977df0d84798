"""One page (HTML) in which the people are turned in 3D beside their video or picture.

The page needs no network and no other file: three.js draws it, which is bundled in page/, and the
picture or video, with the people drawn on it, lies in the page too.
"""

from __future__ import annotations

import base64
import html
import json
import pathlib
import re
from typing import Any

import numpy as np

from capf_jax.figures.drawing import COLOURS, hue, side_of
from capf_jax.figures.sure_joints import bone_side, drawn_bones
from capf_jax.inference.formats import film
from capf_jax.inference.formats.axes import camera_along, joints_along
from capf_jax.inference.formats.film import Film
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.tracks import Tracks
from capf_jax.pose import skeletons

_SQUARE = 0.5  # metres, the side of the floor's squares, as page.js draws them
_MOST_SQUARES = 40  # from the middle of the floor to its edge
_PARTS = pathlib.Path(__file__).parent / 'page'


def write(
    path: pathlib.Path,
    tracks: Tracks,
    pictures: Pictures | None,
    largest_film: int = film.LARGEST,
) -> None:
    """Writes the page; nobody needs to be there.

    Args:
      path: the file.
      tracks: of any people.
      pictures: those of the tracks; None for a page of the 3D view alone.
      largest_film: bytes; a longer video is cut about there, and the page says so.

    Raises:
      OSError: the file could not be written.
    """
    shown = None
    if pictures is not None and len(tracks.times):
        shown = film.make(tracks, pictures, largest_film)
    note = ''
    if shown is not None and shown.frames < len(tracks.times):
        note = (
            f'The video is shown for its first {shown.seconds:.0f} s, since a page holds about '
            f'{largest_film / (1 << 20):.3g} MB of it; the people are shown to the end.'
        )
    if not tracks.valid.any():
        note = f'Nobody with a pose was seen in {tracks.source}. {note}'.strip()
    data = json.dumps(_data(tracks, shown, note), allow_nan=False, ensure_ascii=False)
    guess = ', so that distances are a guess' if tracks.camera_assumed else ''
    caption = f'{tracks.source}; camera: {tracks.camera_origin}{guess}. Squares of {_SQUARE:g} m.'
    fields = {
        'title': html.escape(tracks.source),
        'caption': html.escape(caption),
        'style': _part('page.css'),
        'library': _part('three.bundle.js'),
        'script': _part('page.js'),
        # Nothing in a script element but '</script' ends it, and JSON may write '<' so.
        'data': data.replace('<', '\\u003c'),
        **COLOURS,
    }
    page = re.sub(r'\{\{(\w+)\}\}', lambda match: fields[match[1]], _part('page.html'))
    path.write_text(page, encoding='utf-8')


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding='utf-8')


def _data(tracks: Tracks, shown: Film | None, note: str) -> dict[str, Any]:
    """All that page.js reads."""
    skeleton = skeletons.get(tracks.skeleton)
    joints = joints_along(tracks, 'y_up')
    rotation, eye = camera_along(tracks, 'y_up')
    focal, height = float(tracks.camera.intrinsics[1]), tracks.image_size[1]
    first = tracks.times[0] if len(tracks.times) else 0.0
    return {
        'times': (tracks.times - first).round(6).tolist(),
        'frames': tracks.frames.tolist(),
        'fps': tracks.fps,
        'people': [{'number': int(n), 'hue': hue(int(n))} for n in tracks.ids],
        'sides': [side_of(skeleton, joint) for joint in range(len(skeleton))],
        'bones': [[*bone, bone_side(skeleton, bone)] for bone in drawn_bones(skeleton)],
        'root': skeleton.root,
        'colours': COLOURS,
        'joints': _text(joints.astype('<f4').tobytes()),
        'sure': _text(tracks.sure.astype(np.uint8).tobytes()),
        'film': shown
        and {
            'kind': 'video' if shown.is_video else 'image',
            'frames': shown.frames,
            'end': shown.seconds,
            'content': _text(shown.content),
        },
        'note': note,
        'eye': eye.round(6).tolist(),
        'ahead': rotation[2].round(6).tolist(),  # The third axis of the camera, in the world.
        'angle': float(np.degrees(2 * np.arctan2(height / 2, focal))),
        **_room(tracks, joints),
    }


def _room(tracks: Tracks, joints: np.ndarray) -> dict[str, Any]:
    """Where people are: the middle and radius of a ball around them, and the floor; metres."""
    poses = joints[tracks.valid]
    if not len(poses):
        return {'centre': [0.0, 0.0, -3.0], 'radius': 1.5, 'floor': -1.0, 'squares': 4}
    # One wild pose must not make everyone else small.
    low, high = np.percentile(poses.reshape(-1, 3), [1, 99], axis=0)
    in_world = tracks.axes != 'camera' and tracks.camera.position is not None
    floor = 0.0 if in_world else float(np.percentile(poses[..., 1].min(axis=1), 5))
    radius = float(np.linalg.norm(high - low)) / 2 + 0.2
    return {
        'centre': ((low + high) / 2).round(4).tolist(),
        'radius': round(radius, 4),
        'floor': round(floor, 4),
        'squares': int(np.clip(np.ceil(radius / _SQUARE) + 1, 3, _MOST_SQUARES)),
    }


def _text(content: bytes) -> str:
    """Bytes as text that JSON holds."""
    return base64.b64encode(content).decode('ascii')
