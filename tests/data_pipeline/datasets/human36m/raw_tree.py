"""Writes small folders in the formats that Human3.6M comes in, from known poses and cameras."""

import dataclasses
import itertools
import pickle

import cdflib
import cv2
import numpy as np

from capf_jax.pose import crops
from data_pipeline.datasets.human36m.recordings import JOINTS, Key
from data_pipeline.published_cameras import human36m

SUBJECTS = ('S1', 'S9')
ACTIONS = ('TakingPhoto', 'Walking')
CAMERAS = ('54138969', '55011271')
LENGTHS = {1: 4, 2: 3}  # frames of a trial
RAW_SUFFIX = {1: ' 1', 2: ''}  # 'Walking 1' is trial 1, as for S1 in the real files
SUBSET = {'subjects': SUBJECTS, 'actions': ACTIONS, 'cameras': CAMERAS}

# A standing person, mm: x to its left, y ahead, z up, the pelvis at the origin.
_POSE = np.array([
    [0, 0, 0], [-130, 0, 0], [-130, 30, -440], [-130, 0, -890],
    [130, 0, 0], [130, 30, -440], [130, 0, -890],
    [0, -10, 230], [0, 0, 490], [0, 60, 600], [0, 0, 700],
    [150, 0, 470], [300, 60, 240], [350, 220, 60],
    [-150, 0, 470], [-300, 60, 240], [-350, 220, 60],
])  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Truth:
    """One video's labels as they were made."""

    world: np.ndarray  # [N, 32, 3] mm
    camera: np.ndarray  # [N, 32, 3] mm
    pixels: np.ndarray  # [N, 32, 2], with lens distortion
    detected: np.ndarray  # [N, 17, 2]


def world(key):
    """[N, 32, 3] mm: a person that turns and walks; joints that nobody uses lie elsewhere."""
    numbers = SUBJECTS.index(key.subject), ACTIONS.index(key.action), key.trial
    random = np.random.default_rng(numbers)
    angle = 0.3 * np.arange(LENGTHS[key.trial]) + random.uniform(0, 6)
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 0, 1], turn[:, 1, 0] = -np.sin(angle), np.sin(angle)
    turn[:, 2, 2] = 1
    place = np.array([random.uniform(-500, 500), random.uniform(-500, 500), 920])
    joints = random.uniform(-100, 100, (len(angle), 32, 3)) + place
    joints[:, JOINTS] = (_POSE + random.normal(0, 15, (17, 3))) @ turn.swapaxes(1, 2) + place
    return joints


def truth(key):
    camera = human36m(key.subject, key.camera)
    joints = camera.to_camera(world(key))
    pixels = camera.project(joints)
    random = np.random.default_rng([LENGTHS[key.trial], int(key.camera)])
    detected = pixels[:, JOINTS] + random.normal(0, 3, (len(pixels), 17, 2))
    return Truth(world(key), joints, pixels, detected.astype(np.float32))


def videos(cameras=CAMERAS):
    return [Key(*parts) for parts in itertools.product(SUBJECTS, ACTIONS, LENGTHS, cameras)]


def raw_name(key, other_names=False):
    action = {'TakingPhoto': 'Photo'}.get(key.action, key.action) if other_names else key.action
    return action + RAW_SUFFIX[key.trial]


def picture_path(folder, key, frame):
    return folder / 'images' / key.video / f'{key.video}_{frame + 1:06d}.jpg'


def write_pictures(folder):
    """Black pictures with a white disc on every joint."""
    for key in videos():
        width, height = human36m(key.subject, key.camera).image_size
        for frame, joints in enumerate(truth(key).pixels[:, JOINTS]):
            image = np.zeros((height, width, 3), np.uint8)
            for centre in np.rint(joints).astype(int):
                cv2.circle(image, centre.tolist(), 9, (255, 255, 255), -1)
            path = picture_path(folder, key, frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)


def write_cdf(path, joints):
    """[N, 32, D] as the raw files have them: a variable Pose of one record [N, 32 D]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    rows = joints.reshape(len(joints), -1)
    file = cdflib.cdfwrite.CDF(path)
    spec = {
        'Variable': 'Pose',
        'Data_Type': 45,  # doubles
        'Num_Elements': 1,
        'Rec_Vary': True,
        'Dim_Sizes': list(rows.shape),
        'Compress': 6,
    }
    file.write_var(spec, var_data=rows[None].astype(np.float64))
    file.close()


def cdf_path(folder, key, kind='D3_Positions_mono'):
    name = f'{raw_name(key)}.{key.camera}.cdf'
    return folder / key.subject / 'MyPoseFeatures' / kind / name


def write_cdfs(folder):
    for key in videos():
        labels = truth(key)
        write_cdf(cdf_path(folder, key), labels.camera)
        write_cdf(cdf_path(folder, key, 'D2_Positions'), labels.pixels)


def detections():
    """VideoPose3D's positions_2d: two frames more than are labelled, as some real ones have."""
    by_subject = {}
    cameras = ('54138969', '55011271', '58860488', '60457274')
    for key in videos(cameras[:1]):
        arrays = [truth(key._replace(camera=camera)).detected for camera in cameras]
        longer = [np.concatenate([array, array[-1:], array[-1:]]) for array in arrays]
        by_subject.setdefault(key.subject, {})[raw_name(key, other_names=True)] = longer
    return by_subject


def write_detections(folder, content=None):
    content = {'positions_2d': detections() if content is None else content}
    metadata = {'layout_name': 'h36m', 'num_joints': 17}
    np.savez_compressed(folder / 'data_2d_h36m_cpn_ft_h36m_dbb.npz', metadata=metadata, **content)


def write_positions(folder):
    by_subject = {}
    for key in videos(CAMERAS[:1]):
        metres = truth(key).world / 1000
        by_subject.setdefault(key.subject, {})[raw_name(key, other_names=True)] = metres
    np.savez_compressed(folder / 'data_3d_h36m.npz', positions_3d=by_subject)


def entries(key):
    """The authors' dicts of one video."""
    labels = truth(key)
    camera = human36m(key.subject, key.camera)
    width, height = camera.image_size
    shift = np.array([1, height / width])
    for frame in range(LENGTHS[key.trial]):
        joints = labels.camera[frame, JOINTS]
        centre, box = crops.root_box(joints[0], camera.intrinsics)
        yield {
            'image': f'{key.video}/{key.video}_{frame + 1:06d}.jpg',
            'subject': int(key.subject[1:]),
            'action': int(key.sequence[4:6]),
            'subaction': key.trial,
            'camera_id': CAMERAS.index(key.camera),
            'image_id': frame + 1,
            'video_id': 7,
            'center': centre,
            'scale': np.array([box, box]) / 200,
            'box': np.zeros(4),
            'joints_3d': joints / 1000,
            'joints_2d_gt': labels.pixels[frame, JOINTS] / width * 2 - shift,
            'joints_2d_cpn': labels.detected[frame] / width * 2 - shift,
            'camera': {'fx': camera.intrinsics[0], 'name': key.camera},
            'nposes': 1,
        }


def all_entries(split):
    subject = {'train': 'S1', 'validation': 'S9'}[split]
    return [entry for key in videos() if key.subject == subject for entry in entries(key)]


def write_pickles(folder, **contents):
    for split in ('train', 'validation'):
        with open(folder / f'h36m_{split}.pkl', 'wb') as file:
            pickle.dump(contents.get(split) or all_entries(split), file)


def write(folder, kind):
    """A folder with pictures and one kind of labels: 'cdf', 'pickle' or 'npz'."""
    folder.mkdir(parents=True, exist_ok=True)
    write_pictures(folder)
    write_labels(folder, kind)
    return folder


def write_labels(folder, kind):
    if kind == 'pickle':
        write_pickles(folder)
        return
    write_detections(folder)
    if kind == 'cdf':
        write_cdfs(folder)
    else:
        write_positions(folder)
