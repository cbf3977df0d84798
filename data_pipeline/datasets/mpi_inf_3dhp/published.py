"""Published figures of MPI-INF-3DHP (Mehta et al., 3DV 2017): subjects, joints, frame counts."""

from __future__ import annotations

from data_pipeline.published_cameras import MPI_INF_3DHP_CAMERAS

TRAIN_SUBJECTS = ('S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S8')
SEQUENCES = ('Seq1', 'Seq2')
ALL_CAMERAS = tuple(map(str, range(14)))  # of which published results use MPI_INF_3DHP_CAMERAS
TEST_SUBJECTS = ('TS1', 'TS2', 'TS3', 'TS4', 'TS5', 'TS6')
SUBJECTS = TRAIN_SUBJECTS + TEST_SUBJECTS

# The files' joints that make skeleton mpi_inf_3dhp17, in its order.
FILE_JOINTS = 28
JOINTS = (7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6)

# Frames of each training sequence that the published results use, S1 Seq1, S1 Seq2, S2 Seq1, ...
_FRAMES = (
    6416, 12430, 6502, 6081, 12488, 12283, 6171, 6675,
    12820, 12312, 6188, 6145, 6239, 6320, 6468, 6054,
)  # fmt: skip
FRAME_LIMITS = dict(
    zip(((who, what) for who in TRAIN_SUBJECTS for what in SEQUENCES), _FRAMES, strict=True)
)
# Frames of each test sequence that are marked valid.
VALID_FRAMES: dict[str, int] = dict(zip(TEST_SUBJECTS, (603, 540, 505, 553, 276, 452), strict=True))

# `activity_annotation` counts from 1; the names are those of the dataset's own evaluation.
ACTIVITIES = (
    'Standing/Walking', 'Exercising', 'Sitting', 'Reaching/Crouching',
    'On The Floor', 'Sports', 'Miscellaneous',
)  # fmt: skip


def published_sizes() -> dict[str, dict[str, int]]:
    """Split -> `Record.sequence` -> number of people, in a build of the whole dataset."""
    cameras = len(MPI_INF_3DHP_CAMERAS)
    train = {f'{who}_{what}': cameras * frames for (who, what), frames in FRAME_LIMITS.items()}
    return {'train': train, 'test': dict(VALID_FRAMES)}
