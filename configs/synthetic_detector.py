"""The small 2D detector of the default run, trained on rendered people.

    python -m capf_jax.train --config=configs/synthetic_detector.py --workdir=runs/detector-1
    python -m capf_jax.train --workdir=runs/detector-2 \\
        --config=configs/synthetic_detector.py:start=runs/detector-1/detector.safetensors,seed=1

It learns the joints and points on the body's surface (the skeleton h36m17_surface). The second
command goes on from the first one's weights, at a lower learning rate. What it writes,
`runs/detector-2/detector.safetensors`, is `pretrained/synthetic_detector.safetensors`.
Arguments follow a colon, `--config=configs/synthetic_detector.py:light=random`:
  light            overhead, or random for light from anywhere
  resolution       HEIGHTxWIDTH of the crops
  size             rendered people to train on
  epochs           passes over them
  network          hrnet, vitpose or simplebaseline, all of them small
  start            weights to go on from; random weights if not given
  seed             of the weights and the order of the data; the images have a seed of their own
"""

from ml_collections import ConfigDict

from configs import arguments, synthetic


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg,
        light='overhead',
        resolution='128x96',
        size=24_000,
        epochs=4,
        network='hrnet',
        start='',
        seed=0,
    )
    same = ('light', 'resolution', 'network')
    config = synthetic.get_config(','.join(f'{name}={chosen[name]}' for name in same))
    config.task = 'detector'
    config.seed = chosen.seed
    config.data.builder.train_size = chosen.size
    # Points on the body's surface are learnt as well, since they show which way a limb points.
    config.skeleton = 'h36m17_surface'
    with config.data.builder.unlocked():
        config.data.builder.surface = True
        config.data.builder.seed = 1  # other people than those that the lifter learns from
        config.data.builder.noise_sigma = 8.0  # pixels; crops lie worse than the lifter's
    config.model.detector_weights = chosen.start

    detection = config.detection
    detection.sigma = 1.0  # narrower than for crops of 256x192: maps are half as wide
    detection.max_rotation = 15.0  # light comes from above, which strong rotation would hide
    detection.max_scale = 0.15

    training = config.training
    training.batch_size = 32
    training.epochs = chosen.epochs
    training.learning_rate = 1e-3 if chosen.start else 2e-3
    training.learning_rate_decay = 0.4
    training.weight_decay = 1e-4
    training.weight_type = 'float16'  # 2.5 MB instead of 5
    return config
