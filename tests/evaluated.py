"""A finished run so small that tests which evaluate it take a second."""

import jax

from capf_jax import assembly
from capf_jax.runtime import devices, run_folder
from capf_jax.runtime.checkpoints import Checkpoints
from configs import base
from data_pipeline import loader


def tiny_config(folder, **tiny):
    """Coordinates alone, so that no detector runs, on the seven test people of tiny_people."""
    config = base.get_config()
    with config.unlocked():
        config.data.builder.label = 'tiny'
        config.data.builder.tiny = tiny
    config.data.name = 'tiny_people'
    config.data.dir = str(folder)
    config.data.threads = 1
    config.model.lifter.update(ablation_step=0, channels=4, layers=1, heads=2)
    config.training.batch_size = 2 * jax.device_count()
    config.evaluation.batch_size = 4 * jax.device_count()
    config.evaluation.flip_test = False
    config.evaluation.pictures = 1
    return config


def make_run(workdir, config, builder):
    """A workdir with a latest checkpoint of an untrained lifter at step 3."""
    task = assembly.make_task(config)
    batch = next(loader.evaluation_batches(builder, config))
    state = jax.jit(task.init)(jax.random.PRNGKey(0), batch)
    run_folder.save(config, workdir, '--config=configs/tiny.py:step=0')
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save_latest(3, devices.replicate(state))
    return workdir
