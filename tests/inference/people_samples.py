"""People for tests: random ones of one photograph."""

import numpy as np

from capf_jax.inference.people import People, array_shapes
from capf_jax.pose.cameras import Camera

CAMERA = Camera('', None, None, np.array([900.0, 901.0, 319.5, 239.5]), np.full(5, 0.01))


def people(number=2, seed=0, **changes):
    """`number` people in a picture of 640 x 480; `changes` are fields of `People`."""
    random = np.random.default_rng(seed)
    shapes = array_shapes('coco17', 'h36m17')
    fields = {name: random.uniform(0, 1, (number, *shape)) for name, (shape, _) in shapes.items()}
    fields |= {'ids': np.arange(number), 'valid': np.ones(number, bool), 'time': np.zeros(number)}
    fields['pose'][:, 0] = 0
    fields['root'][:, 2] += 4
    fields['joints2d'] = 200 + 100 * fields['joints2d']
    fields['boxes'] = np.tile([190.0, 180.0, 130.0, 140.0], (number, 1))
    fields |= {
        'joints2d_skeleton': 'coco17', 'skeleton': 'h36m17', 'camera': CAMERA,
        'camera_assumed': False, 'camera_origin': 'calibration.toml', 'image_size': (640, 480),
        'source': 'picture.jpg',
    }  # fmt: skip
    return People(**(fields | changes))
