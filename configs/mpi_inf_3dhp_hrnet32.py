"""Context-Aware PoseFormer with HRNet-W32 on MPI-INF-3DHP, with the paper's settings.

    python -m data_pipeline.build mpi_inf_3dhp --source=FOLDER
    python -m capf_jax.train --config=configs/mpi_inf_3dhp_hrnet32.py --workdir=runs/3dhp_hrnet32
    python -m capf_jax.evaluate --workdir=runs/3dhp_hrnet32

Not run here: the dataset could not be obtained. The paper's score, not ours: PCK 98.0, AUC 75.4 (14
joints), MPJPE 32.7 mm (17 joints), over the valid test frames.
The 2D input is ground truth, so that there is nothing for deformable extraction to correct: the
published models have none. The published code trained at 7e-5 for 79 epochs, on millimetres, with
BatchNorm statistics of the detector that moved: configs/mpi_inf_3dhp_hrnet32_published.py does so.
Here the rate is the nominal 7e-4 for 80 epochs, on metres, and the detector is frozen.
Hardware and time, estimated and not measured: one H100, about 6 hours (84 million samples of
15 GFLOP, 60 TFLOP/s).

Arguments follow a colon, `--config=configs/mpi_inf_3dhp_hrnet32.py:step=0,seed=1`:
  step      ablation step 0-3: coordinates only, + context, + fusion (3 is 2 without `deformable`)
  levels    feature levels joined by +, such as 1+2+3 without the finest; empty: all
  detector  a name in capf_jax/models/detectors/catalog.py
  weights   safetensors file of the detector; pretrained/DETECTOR.safetensors if not given
  joints2d  2D input of the lifter: truth, or detected where the dataset has detections
  seed      of the weights and the order of the data
"""

from ml_collections import ConfigDict

from configs import arguments, base


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    return configure(arg, detector='hrnet_w32', channels=64)


def configure(arg: str, detector: str, channels: int) -> ConfigDict:
    """The configuration for `arg`; `detector` if `arg` names none; `channels` is the lifter's C."""
    chosen = arguments.parse(
        arg, step=3, levels='', detector=detector, weights='', joints2d='truth', seed=0
    )
    config = base.get_config()
    config.seed = chosen.seed
    config.skeleton = 'mpi_inf_3dhp17'

    config.data.name = 'mpi_inf_3dhp'
    config.data.joints2d = chosen.joints2d
    with config.data.builder.unlocked():
        builder = config.data.builder  # data_pipeline/datasets/mpi_inf_3dhp/settings.py says more
        builder.source = ''  # folder of the downloaded files; read only while building
        builder.targets = 'univ_annot3'  # 3D joints: 'univ_annot3' (one height) or 'annot3'
        builder.subjects = ()  # such as ('S1', 'TS1'); empty: all fourteen
        builder.sequences = ()  # of the training split, such as ('Seq1',); empty: both
        builder.cameras = ()  # of the training split, such as ('0', '4'); empty: all eight
        builder.frame_stride = 1  # one training frame in so many is taken
        builder.missing = 'error'  # a frame without its picture: 'error', or 'skip' to leave it out
        builder.height = 256  # of the crops, pixels
        builder.width = 192  # of the crops, pixels
        builder.jpeg_quality = 95  # of the stored crops
        builder.crop_format = 'jpeg444'  # or 'jpeg420' (as until version 0.1), 'png', 'webp'
        builder.processes = 2  # number of processes that crop while building

    config.model.detector = chosen.detector
    config.model.detector_weights = chosen.weights or f'pretrained/{chosen.detector}.safetensors'
    lifter = config.model.lifter
    lifter.ablation_step = chosen.step
    lifter.levels = arguments.levels(chosen.levels)
    lifter.deformable = False
    lifter.channels = channels

    training = config.training
    training.batch_size = 160
    training.epochs = 80
    training.learning_rate = 7e-4
    training.learning_rate_decay = 0.97
    training.offset_learning_rate_factor = 0.1  # without effect where `deformable` is False

    config.evaluation.protocol = 'mpi_inf_3dhp'
    return config
