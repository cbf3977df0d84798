"""glTF files, which pygltflib writes, read by trimesh and, for the motion, by the bare format."""

import json
import struct

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from capf_jax.inference.formats import gltf
from capf_jax.pose import skeletons
from tests.inference.formats.moving import Y_UP, moving, with_gap

JOINTS = skeletons.H36M17.joints


def parts(path):
    """The JSON and the binary part of a GLB file."""
    content = path.read_bytes()
    (length,) = struct.unpack_from('<I', content, 12)
    return json.loads(content[20 : 20 + length]), content[20 + length + 8 :]


def array(document, binary, number):
    """An accessor's floats, [N, columns]."""
    accessor = document['accessors'][number]
    columns = {'SCALAR': 1, 'VEC3': 3, 'VEC4': 4, 'MAT4': 16}[accessor['type']]
    start = document['bufferViews'][accessor['bufferView']].get('byteOffset', 0)
    flat = np.frombuffer(binary, '<f4', accessor['count'] * columns, start)
    return flat.reshape(-1, columns)


def played(path):
    """The seconds of all keys, and the places of nodes by name at each: forward kinematics."""
    document, binary = parts(path)
    nodes = document['nodes']
    moves, seconds = {}, None
    for channel in document['animations'][0]['channels']:
        sampler = document['animations'][0]['samplers'][channel['sampler']]
        seconds = array(document, binary, sampler['input'])[:, 0]
        target = channel['target']
        moves[target['node'], target['path']] = array(document, binary, sampler['output'])
    places = {}

    def visit(number, origin, turn):
        node = nodes[number]
        still = np.array(node.get('translation', [0, 0, 0]))
        step = moves.get((number, 'translation'), np.tile(still, (len(seconds), 1)))
        place = origin + turn.apply(step)
        if (number, 'rotation') in moves:
            turn = turn * Rotation.from_quat(moves[number, 'rotation'])
        places[node['name']] = place
        for child in node.get('children', []):
            visit(child, place, turn)

    for number in document['scenes'][0]['nodes']:
        visit(number, np.zeros((len(seconds), 3)), Rotation.identity(len(seconds)))
    return seconds, np.stack([places[name] for name in JOINTS], axis=1)


def test_trimesh_finds_the_joints_of_the_first_frame(tmp_path):
    one = moving()
    gltf.write(tmp_path / 'a.glb', one, None)
    scene = trimesh.load_scene(tmp_path / 'a.glb')
    places = np.stack([scene.graph.get(name)[0][:3, 3] for name in JOINTS])
    np.testing.assert_allclose(places, one.joints3d[0, 0] * Y_UP, atol=1e-5)


def test_trimesh_finds_a_figure_of_each_colour_for_everyone(tmp_path):
    gltf.write(tmp_path / 'a.glb', moving(number=2), None)
    scene = trimesh.load_scene(tmp_path / 'a.glb')
    assert len(scene.geometry) == 2 * 4  # left, right, centre and the person's own
    colours = {tuple(part.visual.material.baseColorFactor[:3]) for part in scene.geometry.values()}
    assert len(colours) == 3 + 2


def test_the_motion_leads_through_all_joints(tmp_path):
    one = moving()
    gltf.write(tmp_path / 'a.glb', one, None)
    seconds, places = played(tmp_path / 'a.glb')
    np.testing.assert_allclose(seconds, one.times, atol=1e-6)
    np.testing.assert_allclose(places, one.joints3d[0] * Y_UP, atol=1e-5)


def test_a_gap_has_no_keys(tmp_path):
    one = with_gap(moving(), 5, 7)
    gltf.write(tmp_path / 'a.glb', one, None)
    seconds, places = played(tmp_path / 'a.glb')
    np.testing.assert_allclose(seconds, np.delete(one.times, [5, 6]), atol=1e-6)
    expected = np.delete(one.joints3d[0], [5, 6], axis=0) * Y_UP
    np.testing.assert_allclose(places, expected, atol=1e-5)


def test_the_skin_lies_around_the_bones_at_rest(tmp_path):
    gltf.write(tmp_path / 'a.glb', moving(), None)
    document, binary = parts(tmp_path / 'a.glb')
    skin = document['skins'][0]
    inverse = array(document, binary, skin['inverseBindMatrices']).reshape(-1, 4, 4)
    nodes = document['nodes']
    names = [nodes[number]['name'] for number in skin['joints']]
    places = dict(zip(names, -inverse[:, 3, :3], strict=True))
    # In the rest pose the person stands upright with the arms to the sides.
    assert places['left_wrist'][0] > places['left_elbow'][0] > places['left_shoulder'][0] > 0
    assert places['left_ankle'][1] < places['left_knee'][1] < 0 < places['head'][1]


@pytest.mark.parametrize('number', [1, 2])
def test_a_photograph_stands_still(tmp_path, number):
    one = moving(number=number, length=1)
    gltf.write(tmp_path / 'a.glb', one, None)
    document, _ = parts(tmp_path / 'a.glb')
    assert not document.get('animations')
    assert len(document['skins']) == number
