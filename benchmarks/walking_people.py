"""Rendered clips of four people who walk through one room, and their truth.

Two cross in front of the camera, so that one hides the other for about half a second; a third one
leaves the image and comes back; a fourth one walks behind them all. Legs have two bones, and feet
stand while they bear weight.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from tqdm import tqdm

from capf_jax.pose import cameras
from capf_jax.pose.cameras import Camera
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import samples, scenes
from data_pipeline.datasets.synthetic.bodies import Body, build_body
from data_pipeline.datasets.synthetic.kinematics import Pose
from data_pipeline.datasets.synthetic.primitives import Primitives
from data_pipeline.datasets.synthetic.rasterizer import draw_perspective
from data_pipeline.datasets.synthetic.renderer import render
from data_pipeline.datasets.synthetic.subjects import Subject

FPS = 15.0
SECONDS = 8.0
SIZE = (640, 480)  # of a clip, pixels
SCALE = 0.64  # of a clip's pixels beside those of the dataset's image of 1000 x 1000
TOP = 80.0  # pixels of the clip that the image has above it
FOCAL, HEIGHT, PITCH = 900.0, 1.6, 8.0  # pixels of the image, metres, degrees
STEP = 0.62  # metres from one foot to the other
LIFT = 0.1  # metres by which a stepping foot is lifted
STANCE = 0.6  # share of a double step in which a foot stands
ANKLE = 0.08  # metres of the ankle above the floor
MARGIN = 16  # pixels around a person's crop


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A rendered video with its truth; P people, T frames.

    Attributes:
      path: of the video.
      camera: with intrinsics in pixels of the clip; rotation and position in the world, z up.
      joints: [P, T, 17, 3], metres, camera frame.
      stands: [P, T, 2], whether the left and the right foot stands.
      visible: [P, T], share of the joints inside the image that nobody hides.
    """

    path: pathlib.Path
    camera: Camera
    joints: np.ndarray
    stands: np.ndarray
    visible: np.ndarray


def walking(subject: Subject, places: np.ndarray, phase: float) -> tuple[list[Pose], np.ndarray]:
    """Poses of a subject who walks along places [T, 2] (metres), and [T, 2] which feet stand."""
    bones = subject.proportions
    thigh, shin = bones.thigh / 1000, bones.shank / 1000
    ways = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    ahead = np.gradient(places, axis=0)
    for t in range(1, len(ahead)):  # Whoever stops looks where it went.
        ahead[t] = ahead[t] if np.linalg.norm(ahead[t]) > 1e-6 else ahead[t - 1]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    pelvis_height = 0.96 * (thigh + shin) + ANKLE
    poses, stands = [], np.zeros((len(places), 2), bool)
    for t, (place, front) in enumerate(zip(places, ahead, strict=True)):
        forward = np.array([*front, 0.0])
        left, up = np.array([-front[1], front[0], 0.0]), np.array([0.0, 0.0, 1.0])
        pelvis = np.array([*place, pelvis_height])
        joints = np.zeros((17, 3))
        turn = ways[t] / (2 * STEP) + phase
        joints[0] = pelvis
        for side, sign, offset in (('left', 1, 0.0), ('right', -1, 0.5)):
            hip, knee, ankle = (H36M17.index(f'{side}_{name}') for name in ('hip', 'knee', 'ankle'))
            part = (turn + offset) % 1.0
            stands[t, 0 if sign > 0 else 1] = part < STANCE
            # The foot is ahead by half its stance when it lands, and then stays where it is.
            if part < STANCE:
                along, lift = 2 * STEP * (STANCE / 2 - part), 0.0
            else:
                share = (part - STANCE) / (1 - STANCE)
                smooth = share**2 * (3 - 2 * share)
                along = STEP * STANCE * (2 * smooth - 1)
                lift = LIFT * np.sin(np.pi * share)
            joints[hip] = pelvis + sign * bones.hip / 1000 * left
            foot = joints[hip] + along * forward
            foot[2] = ANKLE + lift
            joints[ankle] = foot
            joints[knee] = _knee(joints[hip], foot, thigh, shin, forward)
        joints[H36M17.index('spine')] = pelvis + bones.lower_spine / 1000 * up
        thorax = pelvis + (bones.lower_spine + bones.upper_spine) / 1000 * up
        joints[H36M17.index('thorax')] = thorax
        joints[H36M17.index('nose')] = thorax + bones.neck / 1000 * up + 0.03 * forward
        joints[H36M17.index('head')] = joints[H36M17.index('nose')] + bones.head / 1000 * up
        for side, sign, offset in (('left', 1, 0.5), ('right', -1, 0.0)):
            shoulder, elbow, wrist = (
                H36M17.index(f'{side}_{name}') for name in ('shoulder', 'elbow', 'wrist')
            )
            swing = 0.5 * np.cos(2 * np.pi * (turn + offset - STANCE / 2 + 0.3))
            joints[shoulder] = thorax + sign * bones.shoulder / 1000 * left - 0.03 * up
            upper = np.sin(swing) * forward - np.cos(swing) * up + 0.12 * sign * left
            upper /= np.linalg.norm(upper)
            joints[elbow] = joints[shoulder] + bones.upper_arm / 1000 * upper
            lower = np.sin(swing + 0.4) * forward - np.cos(swing + 0.4) * up
            joints[wrist] = joints[elbow] + bones.forearm / 1000 * lower
        axes = np.stack([forward, left, up], axis=1)
        feet = np.stack([forward, forward])
        poses.append(Pose((1000 * joints).astype(np.float32), axes, axes, axes, feet))
    return poses, stands


def _knee(
    hip: np.ndarray, ankle: np.ndarray, thigh: float, shin: float, forward: np.ndarray
) -> np.ndarray:
    way = ankle - hip
    length = min(float(np.linalg.norm(way)), 0.999 * (thigh + shin))
    along = way / np.linalg.norm(way)
    aside = forward - (forward @ along) * along
    aside /= np.linalg.norm(aside)
    part = (thigh**2 - shin**2 + length**2) / (2 * length)
    return hip + part * along + np.sqrt(max(thigh**2 - part**2, 0.0)) * aside


def ways(rng: np.random.Generator, times: np.ndarray) -> list[np.ndarray]:
    """Where the four people are, [T, 2] each: x away from the camera, y to the left, metres."""
    share = times / times[-1]
    near, middle, far = 3.9, 5.1, 6.4
    width = 0.47 * near
    back = np.interp(share, [0, 0.35, 0.5, 1], [1.0, -3.4, -3.4, 1.2])
    return [
        np.stack(
            [np.full(len(times), near + rng.uniform(-0.2, 0.2)), width * (1.1 - 2.2 * share)], 1
        ),
        np.stack([np.full(len(times), middle), 1.3 * width * (2 * share - 1)], 1),
        np.stack([np.full(len(times), 0.5 * (middle + far)), back], 1),
        np.stack([far + 0.6 * share, 1.2 * (1 - 2 * share) + rng.uniform(-0.2, 0.2)], 1),
    ]


def render_clip(path: pathlib.Path, seed: int) -> Clip:
    """Renders a clip of four people into a video file."""
    import av

    rng = np.random.default_rng(seed)
    times = np.arange(round(SECONDS * FPS)) / FPS
    pitch = np.radians(PITCH)
    forward = np.array([np.cos(pitch), 0, -np.sin(pitch)])
    right = np.array([0.0, -1, 0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    position = np.array([0.0, 0.0, HEIGHT])
    whole = Camera('camera', rotation, position, np.array([FOCAL, FOCAL, 499.5, 499.5]))
    affine = np.array([[SCALE, 0, 0], [0, SCALE, -TOP]])
    intrinsics = np.array([FOCAL * SCALE, FOCAL * SCALE, 499.5 * SCALE, 499.5 * SCALE - TOP])
    subjects = [samples.subject_of(0, 'test', seed * 4 + number) for number in range(4)]
    walks = [
        walking(subject, places, rng.uniform())
        for subject, places in zip(subjects, ways(rng, times), strict=True)
    ]
    scene = scenes.sample_scene(rng, 'overhead', forward)
    scene = dataclasses.replace(scene, wall_distance=max(scene.wall_distance, 9.0))
    first = build_body(walks[0][0][0], subjects[0])
    empty = _background(first, subjects[0], whole, scene, affine, seed)
    world = np.stack([[pose.joints for pose in poses] for poses, _ in walks]) / 1000
    joints = (world - position) @ rotation.T
    visible = np.zeros((4, len(times)))
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=round(FPS), options={'crf': '18'})
        stream.width, stream.height, stream.pix_fmt = *SIZE, 'yuv420p'
        stream.time_base = Fraction(1, round(FPS))
        for t in tqdm(range(len(times)), desc=f'clip {seed}', leave=False):
            bodies = [
                build_body(poses[t], one) for (poses, _), one in zip(walks, subjects, strict=True)
            ]
            pixels, owners = _picture(
                bodies, subjects, whole, scene, affine, intrinsics, empty, seed
            )
            visible[:, t] = [_visible(joints[p, t], owners, p, intrinsics) for p in range(4)]
            frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
            frame.pts, frame.time_base = t, Fraction(1, round(FPS))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    stands = np.stack([stands for _, stands in walks])
    camera = Camera('camera', rotation, position, intrinsics, None, SIZE)
    return Clip(path, camera, joints, stands, visible)


def _picture(
    bodies: Sequence[Body],
    subjects: Sequence[Subject],
    camera: Camera,
    scene: scenes.Scene,
    affine: np.ndarray,
    intrinsics: np.ndarray,
    background: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """A picture [H, W, 3] of all bodies, and [H, W] whom each pixel shows; -1 for nobody.

    The renderer paints everyone in one subject's clothes, so that a crop is made for each, and each
    one's pixels are taken from its own.
    """
    assert camera.rotation is not None
    everything = _joined(bodies, range(len(bodies)))
    counts = [len(body.primitives.material) for body in bodies]
    raster = draw_perspective(
        everything.transform(camera.rotation, -camera.rotation @ camera.position), intrinsics, SIZE
    )
    owners = np.searchsorted(np.cumsum(counts), raster.which, 'right').reshape(SIZE[::-1])
    owners[raster.which.reshape(owners.shape) < 0] = -1
    out = background.copy()
    own: list[tuple[slice, slice, np.ndarray]] = []
    for number, (body, subject) in enumerate(zip(bodies, subjects, strict=True)):
        y, x = np.nonzero(owners == number)
        if not len(x):
            continue
        # The crop has room for the shadow beside the feet.
        left, top = max(int(x.min()) - MARGIN, 0), max(int(y.min()) - MARGIN, 0)
        right, bottom = min(int(x.max()) + MARGIN, SIZE[0]), min(int(y.max()) + MARGIN, SIZE[1])
        order = [number, *(other for other in range(len(bodies)) if other != number)]
        pixels = render(
            np.random.default_rng(seed), _joined(bodies, order), body, subject, camera, scene,
            affine - [[0, 0, left], [0, 0, top]], (right - left, bottom - top), 1,
        )  # fmt: skip
        place = slice(top, bottom), slice(left, right)
        empty = owners[place] < 0
        out[place][empty] = pixels[empty]
        own.append((*place, np.where((owners[place] == number)[..., None], pixels, 0)))
    for rows, columns, pixels in own:
        out[rows, columns] = np.where(pixels.any(-1, keepdims=True), pixels, out[rows, columns])
    return out, owners


def _background(
    body: Body, subject: Subject, camera: Camera, scene: scenes.Scene, affine: np.ndarray, seed: int
) -> np.ndarray:
    """The room [H, W, 3] without people: they stand far behind the camera."""
    away = body.translate(np.array([-50.0, 0.0, 0.0]))
    rng = np.random.default_rng(seed)
    return render(rng, away.primitives, away, subject, camera, scene, affine, SIZE, 1)


def _joined(bodies: Sequence[Body], order: Sequence[int]) -> Primitives:
    first, *rest = order
    primitives = bodies[first].primitives
    for number in rest:
        primitives = primitives.join(bodies[number].primitives)
    return primitives


def _visible(joints: np.ndarray, owners: np.ndarray, person: int, intrinsics: np.ndarray) -> float:
    """The share of a person's joints that lie in the image and on its own pixels."""
    places = np.rint(cameras.project(joints, intrinsics)).astype(int)
    inside = ((places >= 0) & (places < SIZE)).all(axis=1)
    x, y = places[inside].T
    return float((owners[y, x] == person).sum() / len(joints))


def clip_at(path: pathlib.Path, seed: int) -> Clip:
    """A clip, rendered unless it is there with its truth."""
    truth = path.with_suffix('.truth.npz')
    if not (path.is_file() and truth.is_file()):
        clip = render_clip(path, seed)
        np.savez_compressed(
            truth, joints=clip.joints, stands=clip.stands, visible=clip.visible,
            rotation=clip.camera.rotation, position=clip.camera.position,
            intrinsics=clip.camera.intrinsics,
        )  # fmt: skip
    with np.load(truth) as arrays:
        camera = Camera(
            'camera', arrays['rotation'], arrays['position'], arrays['intrinsics'], None, SIZE
        )
        return Clip(path, camera, arrays['joints'], arrays['stands'], arrays['visible'])
