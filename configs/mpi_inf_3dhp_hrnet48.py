"""Context-Aware PoseFormer with HRNet-W48 on MPI-INF-3DHP, with the paper's settings.

    python -m data_pipeline.build mpi_inf_3dhp --source=FOLDER
    python -m capf_jax.train --config=configs/mpi_inf_3dhp_hrnet48.py --workdir=runs/3dhp_hrnet48

Not run here: the dataset could not be obtained. The paper's score, not ours: PCK 98.2, AUC 76.3 (14
joints), MPJPE 31.4 mm (17 joints), over the valid test frames.
Hardware and time, estimated and not measured: one H100, about 12 hours (84 million samples of
30 GFLOP, 60 TFLOP/s).
Arguments: configs/mpi_inf_3dhp_hrnet32.py.
"""

from ml_collections import ConfigDict

from configs import mpi_inf_3dhp_hrnet32


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    return mpi_inf_3dhp_hrnet32.configure(arg, detector='hrnet_w48', channels=96)
