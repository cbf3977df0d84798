"""CA-PF-S on rendered people in motion, small enough for two CPU cores.

    python -m capf_jax.features --config=configs/synthetic_ca_pf_s.py
    python -m capf_jax.train --config=configs/synthetic_ca_pf_s.py:frames=9 --workdir=runs/ca_pf_s

The first command renders clips of people and runs the small detector over them once; the second
trains on what it has stored. Trained here in a short run, with people=12000,clip=40,epochs=1, 9
frames and averaged weights (--config.training.weight_average=0.99): 83.7 mm MPJPE and 14.5 mm MPJVE
(two seeds), 4 minutes on 2 CPU cores; docs/results/table6.md has other numbers of frames. In the
sizes below, ten times as many steps, it was not run to its end. The published model on Human3.6M is
configs/human36m_ca_pf_s.py; the paper's score, not ours, at 1, 3, 9 and 27 frames there: 44.7,
44.2, 43.4, 40.2 mm MPJPE.

To keep the projection of a single-frame lifter, train frames=1 first, and name its file in both
commands: projection=runs/single/sequence.safetensors.

Arguments follow a colon, `--config=configs/synthetic_ca_pf_s.py:frames=3,seed=1`:
  frames      frames of a window around its target, an odd number
  causal      true: the target is the last frame of its window, and no frame is of the future
  deformable  true: the whole lifter and the detector on every frame
  projection  weight file of the single-frame lifter whose projection of context is kept
  features    true: train on what `python -m capf_jax.features` has stored
  maps        false: the control, 2D joints without the detector's maps, which is step 0
  people      rendered frames to train on
  clip        frames of a clip
  poses       a motion-capture file (.npz or .bvh) instead of the built-in activities
  epochs      passes over the training split
  seed        of the weights and the order of the data; the images stay the same
"""

from ml_collections import ConfigDict

from configs import arguments, human36m_ca_pf_s, synthetic


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg,
        frames=9,
        causal=False,
        deformable=False,
        projection='',
        features='auto',
        maps=True,
        people=20_000,
        clip=100,
        poses='',
        epochs=6,
        seed=0,
    )
    config = synthetic.get_config(f'poses={chosen.poses},seed={chosen.seed}')
    set_clips(config, chosen.people, chosen.clip)
    batch, rate = config.training.batch_size, config.training.learning_rate
    human36m_ca_pf_s.over_time(config, chosen, channels=32)
    if not chosen.maps:
        config.model.lifter.ablation_step = 0
        config.data.features = config.data.pictures = False
        config.model.projection_channels = 0
    config.model.temporal_layers = 2
    config.model.temporal_heads = 4
    config.training.batch_size, config.training.learning_rate = batch, rate
    set_training(config, chosen.epochs)
    return config


def set_clips(config: ConfigDict, people: int, clip: int) -> None:
    """Renders clips of people in motion instead of single pictures."""
    builder = config.data.builder
    with builder.unlocked():
        builder.train_size = people
        builder.test_size = people // 10
        builder.clip_frames = clip


def set_training(config: ConfigDict, epochs: int) -> None:
    """What both small lifters of windows share. The frames of a clip resemble one another."""
    config.training.epochs = epochs
    config.training.learning_rate_decay = 0.75
    config.evaluation.every_epochs = epochs
    config.evaluation.batch_size = 64
