"""Context-Aware PoseFormer with HRNet-W48 on MPI-INF-3DHP, as the published code trained it.

    python -m data_pipeline.build mpi_inf_3dhp --source=FOLDER
    python -m capf_jax.train --config=configs/mpi_inf_3dhp_hrnet48_published.py \\
        --workdir=runs/3dhp_hrnet48_published

Not run here: the dataset could not be obtained. The paper's score, not ours:
PCK 98.2, AUC 76.3, MPJPE 31.4 mm.
The published weight file bears 31.25 mm in its name. Both have the predicted root set to 0, which
is the column `MPJPE root 0`.
Hardware and time, estimated and not measured: one H100, about 12 hours (83 million samples of
30 GFLOP, 60 TFLOP/s).
What sets it apart from configs/mpi_inf_3dhp_hrnet48.py: configs/mpi_inf_3dhp_hrnet32_published.py.
Arguments: configs/mpi_inf_3dhp_hrnet32.py.
"""

from ml_collections import ConfigDict

from configs import mpi_inf_3dhp_hrnet32_published, mpi_inf_3dhp_hrnet48


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    return mpi_inf_3dhp_hrnet32_published.as_published(mpi_inf_3dhp_hrnet48.get_config(arg))
