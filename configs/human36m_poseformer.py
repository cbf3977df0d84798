"""PoseFormer, the counterpart without context, on Human3.6M (Zheng et al., ICCV 2021).

    python -m data_pipeline.build human36m --source=FOLDER
    python -m capf_jax.train --config=configs/human36m_poseformer.py:frames=81 --workdir=runs/pf81
    python -m capf_jax.evaluate --workdir=runs/pf81

It reads 2D joints alone: no picture is decoded, and no detector runs. Not run here: the dataset is
licensed. The paper's score, not ours, of PoseFormer at 1, 3, 9 and 81 frames: 53.2, 51.0, 49.9 and
44.3 mm MPJPE. Hardware and time, estimated and not measured: one H100, about 20 hours at 81 frames
(312 million windows of 1.6 GFLOP forward, three times that with the gradients, at 20 TFLOP/s).

The settings are those of the published code: AdamW with a weight decay of 0.1, drop path 0.1,
batches of 512, and a learning rate of 4e-5 for detected joints and 4e-4 for true ones. Its epochs
show every window twice, plain and mirrored; here each is mirrored with probability 0.5, so that two
epochs are one of its own: the rate falls by 0.99 in two epochs, and 200 epochs are the 100 after
which its author has the best result. docs/method.md, PoseFormer, says which value comes from where.

Arguments follow a colon, `--config=configs/human36m_poseformer.py:frames=9,joints2d=truth`:
  frames    frames of a window around its target: 1, 3, 9, 27, 81 or any odd number
  causal    true: the target is the last frame of its window, and no frame is of the future
  joints2d  2D input: detected (CPN's, stored in the dataset) or truth
  seed      of the weights and the order of the data
"""

from ml_collections import ConfigDict

from configs import arguments, human36m_hrnet32


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(arg, frames=81, causal=False, joints2d='detected', seed=0)
    config = human36m_hrnet32.configure(
        f'joints2d={chosen.joints2d},seed={chosen.seed}', detector='hrnet_w32'
    )
    set_poseformer(config, chosen.frames, chosen.causal)
    training = config.training
    training.batch_size = 512
    training.epochs = 200  # 100 of the published code, whose epochs have every window twice
    training.learning_rate = 4e-4 if chosen.joints2d == 'truth' else 4e-5
    training.learning_rate_decay = 0.99**0.5  # 0.99 in a published epoch
    training.weight_decay = 0.1
    return config


def set_poseformer(config: ConfigDict, frames: int, causal: bool) -> None:
    """Makes a configuration one of PoseFormer, in the published size."""
    config.task = 'sequence'
    config.data.frames = frames
    config.data.causal = causal
    config.data.pictures = False
    config.model.sequence_lifter = 'poseformer'
    config.model.detector_weights = ''
    lifter = config.model.lifter
    lifter.channels = 32
    lifter.layers = 4
    lifter.heads = 8
    lifter.mlp_ratio = 2
    lifter.drop_path = 0.1
