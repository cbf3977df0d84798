"""Context-Aware PoseFormer on your own photographs or videos; the default is the Pose2Sim sample.

    python -m data_pipeline.from_pose2sim SAMPLE data/pose2sim-balancing
    python -m capf_jax.train --config=configs/own_data.py --workdir=runs/own_data

This takes a few minutes on 2 CPU cores. For a folder of yours
(data_pipeline/datasets/own_data/README.md has the format):

    python -m capf_jax.train --config=configs/own_data.py:source=FOLDER,test_cameras=

Arguments follow a colon, `--config=configs/own_data.py:step=0,seed=1`:
  source           the folder that holds annotations.json
  test_cameras     cameras of the test split, joined by +; empty: every entry's own `split` decides
  step             ablation step 0-3: coordinates only, + context, + fusion, + deformable extraction
  detector_joints  true: the lifter also gets the detector's own 2D joints (the control experiment)
  resolution       HEIGHTxWIDTH of the crops; 256x192 is the paper's
  seed             of the weights and the order of the data
"""

from ml_collections import ConfigDict

from configs import arguments, base
from configs.synthetic import set_small_models


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg,
        source='data/pose2sim-balancing',
        test_cameras='cam04',
        step=3,
        detector_joints=False,
        resolution='128x96',
        seed=0,
    )
    config = base.get_config()
    config.seed = chosen.seed

    config.data.name = 'own_data'
    with config.data.builder.unlocked():
        builder = config.data.builder
        builder.source = chosen.source
        builder.height, builder.width = arguments.resolution(chosen.resolution)
        builder.processes = 2  # number of processes that crop while building
        builder.outside_source = False  # whether pictures may lie outside the folder `source`
        builder.test_cameras = tuple(filter(None, chosen.test_cameras.split('+')))

    set_small_models(config)
    config.model.lifter.ablation_step = chosen.step
    config.model.lifter.detector_joints = chosen.detector_joints

    # A few hundred pictures: small batches, many passes.
    training = config.training
    training.batch_size = 32
    training.epochs = 60
    training.learning_rate_decay = 0.95
    config.evaluation.batch_size = 50
    config.evaluation.every_epochs = 10
    return config
