"""CA-PF-S, Context-Aware PoseFormer over the frames of a video, on Human3.6M (paper, appendix C).

    python -m data_pipeline.build human36m --source=FOLDER
    python -m capf_jax.features --config=configs/human36m_ca_pf_s.py
    python -m capf_jax.train --config=configs/human36m_ca_pf_s.py:frames=27 --workdir=runs/ca_pf_s
    python -m capf_jax.evaluate --workdir=runs/ca_pf_s

The second command runs the frozen HRNet-W32 once over all pictures and stores what its maps show at
the 2D joints; it tells size and time before it begins. Not run here: the dataset is licensed. The
paper's score, not ours, at 1, 3, 9 and 27 frames: 44.7, 44.2, 43.4, 40.2 mm MPJPE and 8.5, 4.8,
3.4, 2.1 mm MPJVE. Hardware and time, estimated and not measured: one H100, about 4 hours at 27
frames (78 million windows of 1.7 GFLOP forward, three times that with the gradients, at 30
TFLOP/s), if the stored features can be read as fast.

The paper's training settings are not published; a later file of its authors hints at batches of 64.
The learning rate here is ours: that of the single-frame training for batches of 512, times the
square root of 64 / 512. Which network has projected the paper's context vectors to 32 numbers is
not published either. Both ways are here: without `projection` the lifter learns the projection
itself, from vectors of 32 + 64 + 128 + 256 numbers; or that of a single-frame lifter is kept:

    python -m capf_jax.train --config=configs/human36m_ca_pf_s.py:frames=1 --workdir=runs/single
    python -m capf_jax.features \\
        --config=configs/human36m_ca_pf_s.py:projection=runs/single/sequence.safetensors
    python -m capf_jax.train --workdir=runs/kept \\
        --config=configs/human36m_ca_pf_s.py:frames=27,projection=runs/single/sequence.safetensors

With `deformable=true` the temporal head stands on the whole lifter of the paper (C = 128), and the
detector runs on every frame: 27 times the pictures of the single-frame training.

Arguments follow a colon, `--config=configs/human36m_ca_pf_s.py:frames=9,causal=true`:
  frames      frames of a window around its target: 1, 3, 9, 27 or any odd number
  causal      true: the target is the last frame of its window, and no frame is of the future
  deformable  true: the whole lifter on every frame; features made in advance are not enough for it
  projection  weight file of the single-frame lifter whose projection of context is kept
  features    true: train on what `python -m capf_jax.features` has stored
  detector    a name in capf_jax/models/detectors/catalog.py
  weights     safetensors file of the detector; pretrained/DETECTOR.safetensors if not given
  joints2d    2D input of the lifter: detected (CPN's, stored in the dataset) or truth
  seed        of the weights and the order of the data
"""

import math

from ml_collections import ConfigDict

from configs import arguments, human36m_hrnet32


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg,
        frames=27,
        causal=False,
        deformable=False,
        projection='',
        features='auto',
        detector='hrnet_w32',
        weights='',
        joints2d='detected',
        seed=0,
    )
    single = human36m_hrnet32.configure(
        f'joints2d={chosen.joints2d},weights={chosen.weights},seed={chosen.seed}',
        detector=chosen.detector,
    )
    return over_time(single, chosen, channels=32)


def over_time(config: ConfigDict, chosen: ConfigDict, channels: int) -> ConfigDict:
    """A single-frame configuration as one of windows, with the arguments that configs share.

    Args:
      config: of a lifter; it is changed.
      chosen: the arguments frames, causal, deformable, projection and features.
      channels: C where there is no deformable extraction, and of a kept projection.
    """
    config.task = 'sequence'
    config.data.frames = chosen.frames
    config.data.causal = chosen.causal
    config.data.features = arguments.switch('features', chosen.features, not chosen.deformable)
    config.model.lifter.deformable = chosen.deformable
    config.model.projection_weights = chosen.projection
    if chosen.projection:
        config.model.projection_channels = channels
    training = config.training
    if not chosen.deformable:
        config.model.lifter.channels = channels
        training.learning_rate *= math.sqrt(64 / training.batch_size)
        training.batch_size = 64
    return config
