"""Context-Aware PoseFormer on rendered people: the default run, and the paper's Table 3 on them.

    python -m capf_jax.train --config=configs/synthetic.py --workdir=runs/synthetic

This takes under 10 minutes on 2 CPU cores, with rendering the images; README.md has the scores.

Arguments follow a colon, `--config=configs/synthetic.py:step=0,seed=1`:
  step             ablation step 0-3: coordinates only, + context, + fusion, + deformable extraction
  detector_joints  true: the lifter also gets the detector's own 2D joints (the control experiment)
  light            overhead, or random for light from anywhere
  resolution       HEIGHTxWIDTH of the crops; 256x192 is the paper's
  poses            a motion-capture file (.npz or .bvh) instead of the built-in pose sampler
  network          hrnet, vitpose or simplebaseline: the small detector whose maps are the context
  weights          its weight file; hrnet's comes with the repository, and random without a file
  seed             of the weights and the order of the data; the images stay the same
"""

from ml_collections import ConfigDict

from capf_jax.errors import unknown
from configs import arguments, base

NETWORKS = ('hrnet', 'vitpose', 'simplebaseline')  # small ones, of set_small_models


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg,
        step=3,
        detector_joints=False,
        light='overhead',
        resolution='128x96',
        poses='',
        network='hrnet',
        weights='',
        seed=0,
    )
    config = base.get_config()
    config.seed = chosen.seed

    with config.data.builder.unlocked():
        builder = config.data.builder
        builder.height, builder.width = arguments.resolution(chosen.resolution)
        builder.train_size = 20_000  # rendered people to train on
        builder.test_size = 2_000  # rendered people to test on: other bodies, clothes and cameras
        builder.light = chosen.light
        builder.noise_sigma = 4.0  # pixels; the detector's own joints are 4.6 px off (median)
        builder.poses = chosen.poses
        builder.processes = 2  # number of processes that render while building

    set_small_models(config)
    set_network(config, chosen.network, chosen.weights)
    config.model.lifter.ablation_step = chosen.step
    config.model.lifter.detector_joints = chosen.detector_joints
    return config


def set_network(config: ConfigDict, network: str, weights: str) -> None:
    """Names the small detector and its weight file; '' is the one that comes with an HRNet.

    All have about as many FLOPs, and learn the same heatmaps.
    """
    if network not in NETWORKS:
        raise unknown('network', network, NETWORKS)
    model, builder = config.model, config.data.builder
    if network == 'vitpose':
        model.vitpose.dimension = 144
        model.vitpose.depth = 6
        model.vitpose.heads = 4
        model.vitpose.channels = 48
        model.vitpose.crop = (builder.height, builder.width)
    if network == 'simplebaseline':
        model.simplebaseline.width = 20
        model.simplebaseline.blocks = (2, 2, 2, 2)
        model.simplebaseline.channels = 48
    model[network].heatmaps = model.hrnet.heatmaps
    model[network].skeleton = model.hrnet.skeleton
    model.detector = network
    if weights or network != 'hrnet':
        model.detector_weights = weights


def set_small_models(config: ConfigDict) -> None:
    """The small detector that comes with the repository, and a lifter to match two CPU cores."""
    config.model.detector = 'hrnet'
    config.model.detector_weights = 'pretrained/synthetic_detector.safetensors'
    hrnet = config.model.hrnet
    hrnet.width = 16
    hrnet.stem_channels = 16
    hrnet.bottlenecks = 1
    hrnet.modules = (1, 1, 1)
    hrnet.blocks = 2
    hrnet.heatmaps = 'probability'
    hrnet.skeleton = 'h36m17_surface'

    lifter = config.model.lifter
    lifter.channels = 32
    lifter.layers = 2
    lifter.heads = 4
    lifter.drop_path = 0.0

    training = config.training
    training.batch_size = 16  # many small steps teach more than few large ones
    training.epochs = 3
    training.learning_rate = 1e-3
    training.learning_rate_decay = 0.6
    training.weight_decay = 0.05
    training.offset_learning_rate_factor = 0.1  # the scores in docs/results.md were learnt so
    config.evaluation.every_epochs = 3
