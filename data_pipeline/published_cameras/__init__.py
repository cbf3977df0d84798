"""Camera parameters of Human3.6M and MPI-INF-3DHP: two tables of figures, each with its origin.

published_cameras.human36m('S1', '54138969')  # intrinsics, distortion and place
published_cameras.mpi_inf_3dhp('0')           # a training camera, which stands still
published_cameras.mpi_inf_3dhp('TS1')         # a test sequence's camera: no place is published
"""

from data_pipeline.published_cameras.tables import (
    HUMAN36M_CAMERAS,
    MPI_INF_3DHP_CAMERAS,
    human36m,
    mpi_inf_3dhp,
)

__all__ = [
    'HUMAN36M_CAMERAS',
    'MPI_INF_3DHP_CAMERAS',
    'human36m',
    'mpi_inf_3dhp',
]
