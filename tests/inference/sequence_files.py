"""Weight files of small sequence lifters, for tests that open them."""

import jax
import numpy as np

from capf_jax import Estimator, assembly
from capf_jax.inference import weight_files


def written(path, config, batch):
    """The weight file of a sequence lifter with random weights."""
    task = assembly.make_task(config)
    shapes = jax.eval_shape(task.init, jax.random.PRNGKey(0), batch)
    random = np.random.default_rng(0)

    def filled(path, leaf):
        values = random.normal(0, 0.3, leaf.shape).astype(np.float32)
        return np.abs(values) + 0.5 if path[-1].key == 'var' else values

    weights = jax.tree_util.tree_map_with_path(filled, task.weights(shapes))
    metadata = {
        'skeleton': config.skeleton,
        'model': config.model.to_dict(),
        'config': config.to_dict(),
        **task.weight_metadata,
    }
    weight_files.save_weights(path, weights, metadata)
    return Estimator.load(path)
