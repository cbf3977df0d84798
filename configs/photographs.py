"""The default lifter for photographs: MoveNet Thunder, frozen, and a lifter on rendered people.

    python -m capf_jax.features --config=configs/photographs.py
    python -m capf_jax.train --config=configs/photographs.py:features=true --workdir=runs/photos

The first command renders 42,000 people and runs the detector over them once; the second trains on
what it stored. The weight file that comes with the repository, pretrained/photographs.safetensors,
is seed 2 with motion capture: in both commands, `poses=CMU.npz+DEEPMIMIC.npz` follows the colon,
with files in the form that docs/data.md describes. Rendering took 23 minutes, the features 21 and
the training 26, on 2 CPU cores that did other work at the time. It has 76.3 mm MPJPE and 58.9 mm
PA-MPJPE on its rendered test split, seeds 0 and 1 have 78.4 / 60.7 and 77.2 / 59.8; docs/predict.md
has the scores on photographs.

Without motion capture, from this repository alone, 20,000 people (`people=20000` in both commands,
seed 2) gave 87.5 mm and 66.7 mm on a rendered test split of built-in activities alone. Rendering
and features took 28 minutes together and the training 16, on the same 2 cores under other work.

Arguments follow a colon, `--config=configs/photographs.py:step=0,seed=1`:
  step             ablation step 0-3: coordinates only, + context, + fusion, + deformable extraction
  maps             false: the control, the detector's joints without its maps, which is step 0
  conversion       a rule of capf_jax/pose/joint_conversions.py, from COCO's joints to Human3.6M's
  others           chance of a person to learn from that the joints are made by one of the other
                   published rules; nothing has been trained with any
  features         true: train on what `python -m capf_jax.features` has stored; not for step 3
  people           rendered people to train on
  poses            motion-capture files (.npz or .bvh), joined by +, beside the built-in activities
  seed             of the weights and the order of the data; the pictures stay the same
"""

from ml_collections import ConfigDict

from configs import arguments, base


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg,
        step=2,
        maps=True,
        conversion='fitted',
        others=0.0,
        features=False,
        people=40_000,
        poses='',
        seed=0,
    )
    config = base.get_config()
    config.seed = chosen.seed
    config.data.features = chosen.features

    with config.data.builder.unlocked():
        builder = config.data.builder
        builder.height, builder.width = 256, 256
        builder.train_size = chosen.people
        builder.test_size = 2_000  # other bodies, clothes, cameras and poses
        builder.train_subjects = 4_000
        builder.test_subjects = 400
        builder.cameras = 'photographs'  # aimed at the crop: their frame is that of the viewing ray
        builder.truncation = 0.15  # share of people whom the border of the picture cuts
        builder.light = 'random'
        builder.noise_sigma = 4.0  # of the dataset's own 2D joints, which are not used
        builder.supersample = 1
        builder.poses = chosen.poses.replace('+', ',')
        builder.activities_share = 0.4 if chosen.poses else 0.0
        builder.processes = 2

    config.model.detector = 'movenet_thunder'
    config.model.detector_weights = 'pretrained/movenet_thunder.safetensors'
    config.model.frame = 'viewing_ray'
    config.model.joints2d = 'detector'
    config.model.joint_conversion = chosen.conversion
    config.model.other_conversions = chosen.others

    lifter = config.model.lifter
    lifter.ablation_step = chosen.step if chosen.maps else 0
    lifter.channels = 64
    lifter.layers = 3
    lifter.heads = 8
    lifter.drop_path = 0.1

    training = config.training
    training.batch_size = 64
    training.epochs = 12
    training.learning_rate = 1e-3
    training.learning_rate_decay = 0.75
    training.weight_decay = 0.05
    training.log_steps = 100
    training.weight_type = 'float16'
    training.weight_detector = 'beside'  # MoveNet's file comes with the repository
    config.evaluation.batch_size = 100
    config.evaluation.every_epochs = 4
    return config
