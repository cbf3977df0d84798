"""The small detector's network, trained to tell what rendered people do, and no joints.

    python -m capf_jax.train --config=configs/synthetic_classifier.py --workdir=runs/classifier
    python -m capf_jax.train --workdir=runs/lifter --noconfig.model.detector_head \\
        --config=configs/synthetic.py:weights=runs/classifier/classifier.safetensors

It learns from the pictures of configs/synthetic_detector.py, with the same augmentation, which of
12 activities a person is doing. The second command trains a lifter on its maps: weights that have
learnt a classification, as networks from ImageNet have in the paper's Table 5. `python -m
benchmarks.tables --out=docs/results --rows=table5` makes such a table; docs/results.md has it in a
short form.

Arguments follow a colon, `--config=configs/synthetic_classifier.py:size=6000,seed=1`:
  light, resolution, size, epochs, seed   as of configs/synthetic_detector.py
"""

from ml_collections import ConfigDict

from configs import arguments, synthetic_detector

ACTIVITIES = (
    'walking', 'standing', 'gesturing', 'handling', 'reaching', 'stepping', 'bending', 'crouching',
    'kneeling', 'sitting', 'sitting_on_floor', 'lying',
)  # fmt: skip


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg, light='overhead', resolution='128x96', size=24_000, epochs=4, seed=0
    )
    config = synthetic_detector.get_config(
        ','.join(f'{name}={value}' for name, value in chosen.items())
    )
    config.task = 'classifier'
    config.data.classes = ACTIVITIES
    config.model.detector_head = False  # The network has no heatmaps.
    return config
