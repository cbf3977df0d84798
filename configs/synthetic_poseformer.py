"""PoseFormer on rendered people in motion, small enough for two CPU cores.

    python -m capf_jax.train --config=configs/synthetic_poseformer.py:frames=9 --workdir=runs/pf9

It reads the 2D joints of the clips of configs/synthetic_ca_pf_s.py, and no picture. Trained here in
a short run, with people=12000,clip=40,epochs=1, 9 frames and averaged weights
(--config.training.weight_average=0.99): 82.9 mm MPJPE and 12.5 mm MPJVE (two seeds), less than a
minute on 2 CPU cores; docs/results/table6.md has other numbers of frames. In the sizes below, ten
times as many steps, it was not run to its end. The published model on Human3.6M is
configs/human36m_poseformer.py; the paper's score, not ours, at 1, 3, 9 and 81
frames there: 53.2, 51.0, 49.9 and 44.3 mm MPJPE.

Arguments follow a colon, `--config=configs/synthetic_poseformer.py:frames=3,seed=1`:
  frames  frames of a window around its target, an odd number
  causal  true: the target is the last frame of its window, and no frame is of the future
  people  rendered frames to train on
  clip    frames of a clip
  poses   a motion-capture file (.npz or .bvh) instead of the built-in activities
  epochs  passes over the training split
  seed    of the weights and the order of the data; the images stay the same
"""

from ml_collections import ConfigDict

from configs import arguments, human36m_poseformer, synthetic, synthetic_ca_pf_s


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg, frames=9, causal=False, people=20_000, clip=100, poses='', epochs=6, seed=0
    )
    config = synthetic.get_config(f'poses={chosen.poses},seed={chosen.seed}')
    synthetic_ca_pf_s.set_clips(config, chosen.people, chosen.clip)
    human36m_poseformer.set_poseformer(config, chosen.frames, chosen.causal)
    lifter = config.model.lifter
    lifter.channels = 16
    lifter.layers = 2
    lifter.heads = 4
    lifter.drop_path = 0.0
    synthetic_ca_pf_s.set_training(config, chosen.epochs)
    return config
