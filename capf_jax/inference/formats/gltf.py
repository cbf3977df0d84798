"""glTF (.glb): all people as skinned figures that move, for Blender and every 3D viewer.

Metres, y up; `rig` describes the bones. Bones have the colours of left and right, joints that of
the person. A person has keys in the frames with a pose alone; programs move it evenly between them.
The library `pygltflib` writes it.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
from matplotlib import colors

from capf_jax.figures.drawing import COLOURS, hue, side_of
from capf_jax.inference.formats.axes import joints_along
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.formats.rig import Rig, rig_of, rotations_of
from capf_jax.inference.tracks import Tracks
from capf_jax.pose import skeletons

_WIDTH = 0.1  # of a bone, by its length
_JOINT = 0.025  # metres from the middle of a joint's mark to its corners
# The eight faces of a double pyramid over corners 1 to 4, with tips 0 and 5, counter-clockwise.
_FACES = np.array(
    [(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 1), (5, 2, 1), (5, 3, 2), (5, 4, 3), (5, 1, 4)]
)


def write(path: pathlib.Path, tracks: Tracks, pictures: Pictures | None) -> None:
    """Writes everyone who has a pose.

    Args:
      path: the file.
      tracks: of people of whom one has a pose at least.
      pictures: not needed.

    Raises:
      OSError: the file could not be written.
    """
    import pygltflib

    del pictures
    scene = _Scene(pygltflib)
    joints = joints_along(tracks, 'y_up')
    for number, person in enumerate(joints):
        has_pose = tracks.valid[number]
        if has_pose.any():
            times = tracks.times[has_pose] - tracks.times[0]
            scene.add(tracks, int(tracks.ids[number]), times, person[has_pose])
    path.write_bytes(b''.join(scene.document().save_to_bytes()))


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """Triangles of one colour: [V, 3] corners and normals, and [V] the rig's joint of each."""

    colour: str
    points: np.ndarray
    normals: np.ndarray
    joints: np.ndarray


class _Scene:
    """A glTF document that grows by people, and its binary part."""

    def __init__(self, library: Any) -> None:
        """An empty scene.

        Args:
          library: the module pygltflib.
        """
        self._library = library
        self._gltf = library.GLTF2(
            asset=library.Asset(version='2.0', generator='capf_jax'),
            scene=0,
            scenes=[library.Scene(name='people', nodes=[])],
        )
        self._bytes = bytearray()
        self._materials: dict[str, int] = {}

    def add(self, tracks: Tracks, number: int, times: np.ndarray, joints: np.ndarray) -> None:
        """Adds a person: bones, skin and motion.

        Args:
          tracks: that it is of.
          number: its id.
          times: [K] seconds of its poses.
          joints: [K, J, 3] metres, y up.
        """
        library, gltf = self._library, self._gltf
        skeleton = skeletons.get(tracks.skeleton)
        rig = rig_of(skeleton, joints)
        turns = [turn.as_quat() for turn in rotations_of(rig, skeleton, joints)]
        turns = [_without_jumps(turn).astype(np.float32) for turn in turns]
        root = joints[:, skeleton.root].astype(np.float32)
        first = len(gltf.nodes)
        for row, name in enumerate(rig.names):
            children = [first + child for child, parent in enumerate(rig.parents) if parent == row]
            gltf.nodes.append(
                library.Node(
                    name=name,
                    children=children,
                    translation=(root[0] if row == 0 else rig.offsets[row]).tolist(),
                    rotation=turns[row][0].tolist(),
                )
            )
        mesh = self._mesh(_parts(rig, tracks, number), f'figure {number}')
        skin = self._skin(rig, first, number)
        gltf.nodes.append(library.Node(name=f'figure {number}', mesh=mesh, skin=skin))
        # A skinned figure moves with its joints alone and stands beside them in the scene.
        gltf.scenes[0].nodes.append(len(gltf.nodes) - 1)
        # Blender makes one armature of all joints that lie below one node, or below none.
        gltf.nodes.append(library.Node(name=f'person {number}', children=[first]))
        gltf.scenes[0].nodes.append(len(gltf.nodes) - 1)
        if len(times) > 1:
            self._move(first, times, root, turns)

    def document(self) -> Any:
        """The document with its binary part."""
        self._gltf.buffers = [self._library.Buffer(byteLength=len(self._bytes))]
        self._gltf.set_binary_blob(bytes(self._bytes))
        return self._gltf

    def _move(
        self, first: int, times: np.ndarray, root: np.ndarray, turns: list[np.ndarray]
    ) -> None:
        """Adds the motion of the nodes from `first` on to the one animation of the scene."""
        library, gltf = self._library, self._gltf
        if not gltf.animations:
            gltf.animations.append(library.Animation(name='motion', samplers=[], channels=[]))
        animation = gltf.animations[0]
        clock = self._accessor(times.astype(np.float32), library.SCALAR, with_bounds=True)

        def channel(node: int, path: str, values: np.ndarray, kind: str) -> None:
            output = self._accessor(values, kind)
            sampler = library.AnimationSampler(input=clock, output=output, interpolation='LINEAR')
            animation.samplers.append(sampler)
            target = library.AnimationChannelTarget(node=node, path=path)
            last = len(animation.samplers) - 1
            animation.channels.append(library.AnimationChannel(sampler=last, target=target))

        channel(first, 'translation', root, library.VEC3)
        for row, turn in enumerate(turns):
            channel(first + row, 'rotation', turn, library.VEC4)

    def _skin(self, rig: Rig, first: int, number: int) -> int:
        places = _rest_places(rig)
        inverse = np.tile(np.eye(4, dtype=np.float32), (len(places), 1, 1))
        inverse[:, 3, :3] = -places  # glTF stores the columns of a matrix one after the other.
        self._gltf.skins.append(
            self._library.Skin(
                name=f'person {number}',
                skeleton=first,
                joints=list(range(first, first + len(places))),
                inverseBindMatrices=self._accessor(inverse.reshape(-1, 16), self._library.MAT4),
            )
        )
        return len(self._gltf.skins) - 1

    def _mesh(self, parts: list[_Part], name: str) -> int:
        library = self._library
        primitives = []
        for part in parts:
            vertices = len(part.points)
            own = np.zeros((vertices, 4), np.uint8)
            own[:, 0] = part.joints
            weights = np.zeros((vertices, 4), np.float32)
            weights[:, 0] = 1
            attributes = library.Attributes(
                POSITION=self._accessor(part.points, library.VEC3, with_bounds=True, target=True),
                NORMAL=self._accessor(part.normals, library.VEC3, target=True),
                JOINTS_0=self._accessor(own, library.VEC4, target=True),
                WEIGHTS_0=self._accessor(weights, library.VEC4, target=True),
            )
            material = self._material(part.colour)
            primitives.append(library.Primitive(attributes=attributes, material=material))
        self._gltf.meshes.append(library.Mesh(name=name, primitives=primitives))
        return len(self._gltf.meshes) - 1

    def _material(self, colour: str) -> int:
        """The material of a colour '#RRGGBB', which is made once."""
        if colour not in self._materials:
            library = self._library
            share = np.array(colors.to_rgb(colour))
            # The format wants light, and '#RRGGBB' is what screens are sent (sRGB).
            light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
            look = library.PbrMetallicRoughness(
                baseColorFactor=[*light.tolist(), 1.0], metallicFactor=0.0, roughnessFactor=0.8
            )
            material = library.Material(name=colour, pbrMetallicRoughness=look, doubleSided=True)
            self._materials[colour] = len(self._gltf.materials)
            self._gltf.materials.append(material)
        return self._materials[colour]

    def _accessor(
        self, values: np.ndarray, kind: str, *, with_bounds: bool = False, target: bool = False
    ) -> int:
        """Appends an array [N] or [N, columns], float32 or uint8; returns its accessor's index.

        Args:
          values: the array.
          kind: pygltflib's name of what a row is.
          with_bounds: whether the format wants its least and greatest values.
          target: whether the array is of vertices.
        """
        library, gltf = self._library, self._gltf
        content = np.ascontiguousarray(values).tobytes()
        self._bytes.extend(bytes(-len(self._bytes) % 4))
        gltf.bufferViews.append(
            library.BufferView(
                buffer=0,
                byteOffset=len(self._bytes),
                byteLength=len(content),
                target=library.ARRAY_BUFFER if target else None,
            )
        )
        self._bytes.extend(content)
        rows = values.reshape(len(values), -1)
        is_byte = values.dtype == np.uint8
        gltf.accessors.append(
            library.Accessor(
                bufferView=len(gltf.bufferViews) - 1,
                componentType=library.UNSIGNED_BYTE if is_byte else library.FLOAT,
                count=len(values),
                type=kind,
                min=rows.min(axis=0).tolist() if with_bounds else None,
                max=rows.max(axis=0).tolist() if with_bounds else None,
            )
        )
        return len(gltf.accessors) - 1


def _without_jumps(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations [K, 4], each of the sign that is nearer to the one before."""
    against = np.einsum('ki,ki->k', quaternions[1:], quaternions[:-1]) < 0
    signs = np.concatenate([[1], np.cumprod(np.where(against, -1, 1))])
    return quaternions * signs[:, None]


def _rest_places(rig: Rig) -> np.ndarray:
    """[R, 3] metres, where the joints are in the rest pose."""
    places = np.zeros_like(rig.offsets)
    for row, parent in enumerate(rig.parents):
        if parent >= 0:
            places[row] = places[parent] + rig.offsets[row]
    return places


def _parts(rig: Rig, tracks: Tracks, number: int) -> list[_Part]:
    """The figure in the rest pose: a double pyramid a bone, and a small one a joint."""
    skeleton, places = skeletons.get(tracks.skeleton), _rest_places(rig)
    shapes: dict[str, list[tuple[np.ndarray, int]]] = {}
    for row, parent in enumerate(rig.parents):
        if parent < 0 or rig.joints[row] != rig.joints[parent]:  # Each place has one mark.
            mark = places[row] + _JOINT * np.array(
                [(0, 1, 0), (1, 0, 0), (0, 0, -1), (-1, 0, 0), (0, 0, 1), (0, -1, 0)]
            )
            shapes.setdefault(hue(number), []).append((mark, row))
        length = float(np.linalg.norm(rig.offsets[row]))
        if parent >= 0 and length > 0:
            colour = COLOURS[side_of(skeleton, rig.joints[row])]
            shapes.setdefault(colour, []).append((_bone(places[parent], places[row]), parent))
    parts = []
    for colour, members in shapes.items():
        corners = np.stack([corners[_FACES] for corners, _ in members])  # [members, 8, 3, 3]
        normals = np.cross(
            corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
        )
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        parts.append(
            _Part(
                colour,
                corners.reshape(-1, 3).astype(np.float32),
                np.repeat(normals.reshape(-1, 3), 3, axis=0).astype(np.float32),
                np.repeat([row for _, row in members], 24),
            )
        )
    return parts


def _bone(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The corners [6, 3] of a double pyramid from one joint to another, thickest near the first."""
    along = end - start
    length = np.linalg.norm(along)
    across = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    across *= _WIDTH * length / np.linalg.norm(across)
    beside = np.cross(along / length, across)
    middle = start + 0.2 * along
    return np.stack(
        [end, middle + across, middle + beside, middle - across, middle - beside, start]
    )
