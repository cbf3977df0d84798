"""A tiny, faultless folder of own data, which each test spoils in its own way."""

import json
import pathlib

import cv2
import numpy as np
import pytest
from ml_collections import ConfigDict

from capf_jax.pose.cameras import Camera
from capf_jax.pose.skeletons import H36M17

SIZE = (320, 240)  # (width, height) of images and videos
CAMERA = Camera(
    'left', None, None, np.array([300.0, 310.0, 160.0, 120.0]), np.array([0.1, -0.02, 0, 0, 0])
)


def marked_image(joints2d):
    """Grey image [H, W, 3] BGR with a red disc on the first joint."""
    image = np.full((*SIZE[::-1], 3), 90, np.uint8)
    x, y = joints2d[0]
    cv2.circle(image, (round(x), round(y)), 6, (0, 0, 255), -1)
    return image


class Folder:
    """Writes the folder; `content` may be spoiled before `write`."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        random = np.random.default_rng(0)
        entries = []
        for number in range(7):
            centre = [0, 0, 3000 + 100 * number]
            joints3d = random.normal(0, 250, (len(H36M17), 3)) + centre
            joints2d = CAMERA.project(joints3d)
            medium = (
                {'image': f'images/{number}.png'}
                if number < 4
                else {'video': 'videos/walk.mp4', 'frame': (number - 4) * 2}
            )
            entries.append(
                medium
                | {
                    'camera': 'left',
                    'joints2d': (joints2d + random.normal(0, 1, joints2d.shape)).tolist(),
                    'joints3d': joints3d.tolist(),
                    'subject': f'S{number % 2}',
                    'sequence': 'stills' if number < 4 else 'walk',
                    'action': 'walking',
                    'split': 'test' if number in (3, 5) else 'train',
                }
            )
        fx, fy, cx, cy = CAMERA.intrinsics
        camera = {'fx': fx, 'fy': fy, 'cx': cx, 'cy': cy, 'distortion': CAMERA.distortion.tolist()}
        self.content = {'skeleton': 'h36m17', 'cameras': {'left': camera}, 'entries': entries}

    def write(self) -> pathlib.Path:
        (self.path / 'images').mkdir(parents=True, exist_ok=True)
        (self.path / 'videos').mkdir(exist_ok=True)
        entries = self.content['entries']
        for number in range(4):
            cv2.imwrite(str(self.path / f'images/{number}.png'), self.image(number))
        video = cv2.VideoWriter(
            str(self.path / 'videos/walk.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 25, SIZE
        )
        for frame in range(5):  # frames 0, 2 and 4 are entries
            video.write(self.image(4 + frame // 2) if frame % 2 == 0 else self.image(4) * 0)
        video.release()
        self.write_annotations()
        assert len(entries) == 7
        return self.path

    def image(self, number: int) -> np.ndarray:
        joints3d = np.array(self.original[number]['joints3d'])
        return marked_image(CAMERA.project(joints3d))

    @property
    def original(self):
        return Folder(self.path).content['entries']

    def write_annotations(self) -> None:
        text = json.dumps(self.content)
        (self.path / 'annotations.json').write_text(text, encoding='utf-8')

    def data(self, **fields) -> ConfigDict:
        """`config.data` for this folder."""
        builder = {'source': str(self.path), 'height': 64, 'width': 48} | fields
        return ConfigDict(
            {
                'name': 'own_data',
                'dir': str(self.path.parent / 'data'),
                'bad_image': 'error',
                'builder': builder,
            }
        )


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / 'source')
