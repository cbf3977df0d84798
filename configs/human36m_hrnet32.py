"""Context-Aware PoseFormer with HRNet-W32 on Human3.6M, as published (paper, Table 1).

    python -m data_pipeline.build human36m --source=FOLDER
    python -m capf_jax.train --config=configs/human36m_hrnet32.py --workdir=runs/human36m_hrnet32
    python -m capf_jax.evaluate --workdir=runs/human36m_hrnet32

Not run here: the dataset is licensed. The paper's score, not ours: 41.4 mm MPJPE, 33.5 mm PA-MPJPE,
means over the 15 actions. Its steps 0 to 3 (Table 3): 51.2, 43.5, 42.8, 41.4 mm; without the level
of stride 4, 8, 16 or 32 (Table 4): 42.9, 42.4, 43.1, 41.8 mm.
Hardware and time, estimated and not measured: one H100, about 6 hours (78 million samples of
16 GFLOP, 60 TFLOP/s), if enough processor cores read 4,000 crops a second.

The learning rate is that of the code that made the published weights: 6.4e-4 for every parameter
of the lifter, the layers that predict the sampling offsets included. The paper's text has 6.4e-3,
and a tenth of it for these layers; but that code compared their names with one bare string, so that
every parameter was taken for one of them and learnt at a tenth of 6.4e-3 (docs/method.md,
Training).
Older runs of this config learnt these layers at a tenth of the rate, and go on with
--config.training.offset_learning_rate_factor=0.1.

Arguments follow a colon, `--config=configs/human36m_hrnet32.py:step=0,seed=1`:
  step             ablation step 0-3: coordinates only, + context, + fusion, + deformable extraction
  levels           feature levels joined by +, such as 1+2+3 without the finest; empty: all
  detector         a name in capf_jax/models/detectors/catalog.py
  weights          safetensors file of the detector; pretrained/DETECTOR.safetensors if not given
  joints2d         2D input of the lifter: detected (CPN's, stored in the dataset) or truth
  detector_joints  true: the lifter also gets the detector's own 2D joints (the control experiment);
                   needs weights of a detector that was trained on Human3.6M's joints
  seed             of the weights and the order of the data
"""

from ml_collections import ConfigDict

from configs import arguments, base


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    return configure(arg, detector='hrnet_w32')


def configure(arg: str, detector: str) -> ConfigDict:
    """The configuration for `arg`; `detector` is used if `arg` names none."""
    chosen = arguments.parse(
        arg,
        step=3,
        levels='',
        detector=detector,
        weights='',
        joints2d='detected',
        detector_joints=False,
        seed=0,
    )
    config = base.get_config()  # the base has the values of this training
    config.seed = chosen.seed

    config.data.name = 'human36m'
    config.data.joints2d = chosen.joints2d
    with config.data.builder.unlocked():
        builder = config.data.builder  # data_pipeline/datasets/human36m/settings.py says more
        builder.source = ''  # folder of the downloaded files; read only while building
        builder.annotations = 'auto'  # labels of 'cdf', 'pickle' or 'npz'; 'auto': what is there
        builder.subjects = ()  # such as ('S9', 'S11'); empty: all seven
        builder.actions = ()  # such as ('Walking', 'TakingPhoto'); empty: all fifteen
        builder.cameras = ()  # such as ('54138969',); empty: all four
        builder.frame_stride = 1  # one frame in so many is taken
        builder.missing = 'error'  # a frame without its picture: 'error', or 'skip' to leave it out
        builder.height = 256  # of the crops, pixels
        builder.width = 192  # of the crops, pixels
        builder.jpeg_quality = 95  # of the stored crops
        builder.crop_format = 'jpeg444'  # or 'jpeg420' (as until version 0.1), 'png', 'webp'
        builder.processes = 2  # number of processes that crop while building

    config.model.detector = chosen.detector
    config.model.detector_weights = chosen.weights or f'pretrained/{chosen.detector}.safetensors'
    # Published detectors find COCO's joints; the control needs one that finds the lifter's.
    config.model.detector_skeleton = config.skeleton if chosen.detector_joints else ''
    lifter = config.model.lifter
    lifter.ablation_step = chosen.step
    lifter.levels = arguments.levels(chosen.levels)
    lifter.detector_joints = chosen.detector_joints

    config.evaluation.protocol = 'human36m'
    return config
