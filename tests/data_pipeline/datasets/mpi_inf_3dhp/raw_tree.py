"""Small trees in MPI-INF-3DHP's own formats, from known poses and cameras.

Pictures are dark with a red disc at the neck, so that a crop shows whether it is in its place.
"""

import dataclasses
import functools
import pathlib

import cv2
import h5py
import numpy as np
import scipy.io

from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.mpi_inf_3dhp import published
from data_pipeline.datasets.synthetic import samples
from data_pipeline.datasets.synthetic.settings import Settings

NECK = 1
UNIVERSAL = 0.9  # what univ_annot3 is scaled by
# h36m17 joints that lie where the 17 of MPI-INF-3DHP do, in its order.
_FROM_H36M = tuple(
    H36M17.index(name)
    for name in (
        'head', 'thorax', 'right_shoulder', 'right_elbow', 'right_wrist',
        'left_shoulder', 'left_elbow', 'left_wrist', 'right_hip', 'right_knee', 'right_ankle',
        'left_hip', 'left_knee', 'left_ankle', 'pelvis', 'spine', 'nose',
    )
)  # fmt: skip


@functools.cache
def poses(count, seed=0):
    """[count, 17, 3] mm, camera frame: people four metres or so away."""
    config = Settings()
    people = [
        samples.sample_person(np.random.default_rng([seed, number]), config, 'train').joints3d
        for number in range(count)
    ]
    return 1000 * np.array(people)[:, _FROM_H36M]


def project(joints3d, intrinsics):
    focal, principal = np.reshape(intrinsics, (2, 2))
    return joints3d[..., :2] / joints3d[..., 2:] * focal + principal


def universal(joints3d):
    pelvis = joints3d[:, 14:15]
    return pelvis + UNIVERSAL * (joints3d - pelvis)


def picture(joints2d, size):
    image = np.full((size[1], size[0], 3), 40, np.uint8)
    radius = max(3, size[0] // 40)
    cv2.circle(image, [round(float(v)) for v in joints2d[NECK]], radius, (0, 0, 255), -1)
    return image


def in_file(joints):
    """[F, 17, n] -> [F, 28 * n], as annot.mat has it; what is not asked for is far away."""
    whole = np.full((len(joints), published.FILE_JOINTS, joints.shape[-1]), -9999.0)
    whole[:, published.JOINTS] = joints
    return whole.reshape(len(joints), -1)


@dataclasses.dataclass(frozen=True)
class TrainSequence:
    """S?/Seq? of a few frames, with a small picture size that its calibration file gives."""

    subject: str = 'S1'
    sequence: str = 'Seq1'
    cameras: tuple = ('0', '4')
    frames: int = 5
    size: int = 192  # pixels, width and height
    calibrated: bool = True
    as_frames: str = ''  # folder of extracted frames with {camera}, instead of videos
    first: int = 1  # number of the first extracted frame

    def intrinsics(self, camera):
        focal, middle, number = 1500 * self.size / 2048, self.size / 2, int(camera)
        return np.array([focal + number, focal + 1, middle + number, middle])

    def joints3d(self, camera):
        return poses(self.frames, seed=10 * int(self.subject[1:]) + int(camera))

    def joints2d(self, camera):
        return project(self.joints3d(camera), self.intrinsics(camera))

    def arrays(self):
        """What annot.mat holds; tests spoil it before it is written."""
        cells = {name: np.empty((14, 1), object) for name in ('annot2', 'annot3', 'univ_annot3')}
        for camera in published.ALL_CAMERAS:
            used = camera in self.cameras
            joints3d = self.joints3d(camera) if used else np.zeros((self.frames, 17, 3))
            joints2d = self.joints2d(camera) if used else np.zeros((self.frames, 17, 2))
            cells['annot2'][int(camera), 0] = in_file(joints2d)
            cells['annot3'][int(camera), 0] = in_file(joints3d)
            cells['univ_annot3'][int(camera), 0] = in_file(universal(joints3d))
        return cells | {'frames': np.arange(self.frames)[:, None], 'cameras': np.arange(14)[None]}

    def folder(self, root):
        return pathlib.Path(root) / self.subject / self.sequence

    def write(self, root):
        folder = self.folder(root)
        (folder / 'imageSequence').mkdir(parents=True)
        scipy.io.savemat(folder / 'annot.mat', self.arrays())
        if self.calibrated:
            (folder / 'camera.calibration').write_text(self.calibration())
        for camera in self.cameras:
            pictures = [picture(joints, (self.size,) * 2) for joints in self.joints2d(camera)]
            if self.as_frames:
                write_frames(
                    folder / self.as_frames.format(camera=camera), pictures, 'frame', self.first
                )
            else:
                write_video(folder / 'imageSequence' / f'video_{camera}.avi', pictures)
        return folder

    def calibration(self):
        blocks = ['Skeletool Camera Calibration File V1.0']
        for camera in published.ALL_CAMERAS:
            fx, fy, cx, cy = self.intrinsics(camera)
            blocks.append(
                f'name          {camera}\n  sensor      10 10\n  size        {self.size} '
                f'{self.size}\n  animated    0\n  intrinsic   {fx} 0 {cx} 0 0 {fy} {cy} 0 0 0 1 0 '
                '0 0 0 1\n  extrinsic   1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n  radial      0'
            )
        return '\n'.join(blocks) + '\n'


@dataclasses.dataclass(frozen=True)
class TestSequence:
    """TS? of a few frames, every other one valid; sizes and cameras are the real ones."""

    __test__ = False  # pytest must not collect the class as a test

    name: str
    intrinsics: tuple
    size: tuple = (2048, 2048)
    frames: int = 5

    @property
    def joints3d(self):
        return poses(self.frames, seed=int(self.name[2:]))

    @property
    def joints2d(self):
        return project(self.joints3d, self.intrinsics)

    @property
    def valid(self):
        return np.arange(self.frames) % 2 == 0

    def arrays(self):
        """What annot_data.mat holds, as HDF5 has it: MATLAB's dimensions reversed."""
        return {
            'annot2': self.joints2d[:, None],
            'annot3': self.joints3d[:, None],
            'univ_annot3': universal(self.joints3d)[:, None],
            'valid_frame': self.valid[:, None].astype(float),
            'activity_annotation': (1 + np.arange(self.frames) % 7)[:, None].astype(float),
        }

    def write(self, root):
        folder = pathlib.Path(root) / 'mpi_inf_3dhp_test_set' / self.name
        folder.mkdir(parents=True)
        write_mat73(folder / 'annot_data.mat', self.arrays())
        pictures = [picture(joints, self.size) for joints in self.joints2d]
        write_frames(folder / 'imageSequence', pictures, 'img')
        return folder


TS1 = TestSequence('TS1', (1500.0686, 1500.6591, 1017.3795, 1043.0628))
TS5 = TestSequence('TS5', (1683.4826, 1671.9272, 939.9279, 560.2072), (1920, 1080), frames=4)


def write_mat73(path, arrays):
    with h5py.File(path, 'w', userblock_size=512) as file:
        for name, values in arrays.items():
            file[name] = values
    with path.open('r+b') as file:
        file.write(b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(116))


def write_frames(folder, pictures, word, first=1):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(pictures, first):
        cv2.imwrite(str(folder / f'{word}_{number:06d}.jpg'), image)


def write_video(path, pictures):
    height, width = pictures[0].shape[:2]
    # MPEG-4 with frames that are differences to others, as in the real videos.
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'XVID'), 25, (width, height))
    for image in pictures:
        video.write(image)
    video.release()
