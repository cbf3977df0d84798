"""The field's evaluation protocols: which errors, over which joints, averaged how.

`config.evaluation.protocol` names one; a new one is one more entry of `PROTOCOLS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int, Shaped

from capf_jax.errors import UserError, unknown
from capf_jax.pose import metrics
from capf_jax.pose.skeletons import MPI_INF_3DHP17, Skeleton

PCK_THRESHOLD_MM = 150.0  # MPI-INF-3DHP's: half a head
ERROR_2D_PX = 5.0  # frames with a larger 2D error are a subset of their own

# (predictions, targets [N, J, 3] mm, videos [N], frames [N]) -> [N], NaN where there is no value
Compute = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Metric:
    """One column of a table.

    Attributes:
      title: its name in print.
      unit: 'mm', 'mm per frame' or '%'.
      compute: the values of all samples.
      per_video: whether it needs frames that follow one another.
      note: what the title does not tell, to be printed below the table.
    """

    title: str
    unit: str
    compute: Compute
    per_video: bool = False
    note: str = ''


def _across_borders(
    pred: np.ndarray, target: np.ndarray, videos: np.ndarray, frames: np.ndarray
) -> np.ndarray:
    """MPJVE of all videos in a row, as if they were one; NaN at the very first frame. -> [N]."""
    order = np.lexsort((frames, videos))  # Records are stored in another order than they were shot.
    errors = np.full(len(pred), np.nan)
    errors[order[1:]] = metrics.mpjve_across_borders(pred[order], target[order])
    return errors


_ROOT_3DHP = MPI_INF_3DHP17.root

METRICS: Mapping[str, Metric] = {
    'mpjpe': Metric('MPJPE', 'mm', lambda p, t, v, f: metrics.mpjpe(p, t)),
    'mpjpe_root_0': Metric(
        'MPJPE root 0',
        'mm',
        lambda p, t, v, f: metrics.mpjpe_of_true_root(p, t, _ROOT_3DHP),
        note='as published, the predicted root set to 0; in MPJPE the predicted root counts',
    ),
    'pa_mpjpe': Metric('PA-MPJPE', 'mm', lambda p, t, v, f: metrics.pa_mpjpe(p, t)),
    'n_mpjpe': Metric('N-MPJPE', 'mm', lambda p, t, v, f: metrics.n_mpjpe(p, t)),
    'mpjve': Metric(
        'MPJVE', 'mm per frame', metrics.mpjve, per_video=True, note='inside videos only'
    ),
    'mpjve_across_borders': Metric(
        'MPJVE across borders',
        'mm per frame',
        _across_borders,
        per_video=True,
        note='all videos in a row as if they were one, so that it counts a jump from the last '
        'frame of each to the first of the next; the formula of the published code, on videos '
        'sorted by subject, action, sequence and camera',
    ),
    'pck': Metric('PCK@150', '%', lambda p, t, v, f: metrics.pck(p, t, PCK_THRESHOLD_MM)),
    'auc': Metric('AUC', '%', lambda p, t, v, f: metrics.auc(p, t, metrics.AUC_THRESHOLDS_MM)),
}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is measured, and how it is averaged.

    Attributes:
      name: its name in configs.
      metrics: names in `METRICS`, in the order of a table's columns.
      tables: (label of the samples, its title), one for each table; () leaves the choice to the
        labels that there are.
      headline: the label over whose groups the published figure is the mean of each group's mean;
        '' for the plain mean over frames.
      groups: how many groups the headline's label has in the whole test set; 0 if it is not fixed.
      skeleton: the joint set it is defined for; '' for any.
      joints: metric -> the joints it is taken over; all where it is not named.
      frames: which frames count.
    """

    name: str
    metrics: tuple[str, ...]
    tables: tuple[tuple[str, str], ...] = ()
    headline: str = ''
    groups: int = 0
    skeleton: str = ''
    joints: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    frames: str = 'all'

    def errors(
        self,
        pred: Float[np.ndarray, 'N J 3'],
        target: Float[np.ndarray, 'N J 3'],
        videos: Shaped[np.ndarray, ' N'],
        frames: Int[np.ndarray, ' N'],
    ) -> dict[str, Float[np.ndarray, ' N']]:
        """Metric name -> [N] values; those per video are left out where no frame follows another.

        Args:
          pred, target: [N, J, 3] mm, relative to the root.
          videos: [N], one label for each video.
          frames: [N] int, the frame's number in its video.

        Raises:
          ValueError: shapes do not fit, or a video holds a frame twice.
        """
        followed = ~np.isnan(metrics.mpjve(pred, target, videos, frames)).all()
        errors = {}
        for name in self.metrics:
            if METRICS[name].per_video and not followed:
                continue
            joints = list(self.joints.get(name, range(pred.shape[1])))
            errors[name] = METRICS[name].compute(pred[:, joints], target[:, joints], videos, frames)
        return errors

    def check_skeleton(self, skeleton: Skeleton) -> None:
        """UserError unless the protocol is defined for these joints."""
        if self.skeleton and skeleton.name != self.skeleton:
            raise UserError(
                f'the protocol {self.name!r} is for the joints of {self.skeleton!r}, not of '
                f"{skeleton.name!r}; set config.evaluation.protocol to 'plain', or the skeleton"
            )

    def describe(self, skeleton: Skeleton) -> dict[str, str]:
        """For a result's conditions: root, joints of each metric, averaging, units and frames."""
        return {
            'root_joint': skeleton.joints[skeleton.root],
            'evaluation_protocol': self.name,
            'joint_subset': self._joint_words(skeleton),
            'frames': self.frames,
            'unit': ', '.join(f'{METRICS[m].title} {METRICS[m].unit}' for m in self.metrics),
            'definitions': '; '.join(
                f'{METRICS[m].title}: {METRICS[m].note}' for m in self.metrics if METRICS[m].note
            ),
            'averaging': 'mean_over_frames: plain mean over samples; '
            'mean_over_actions: mean over actions of each action mean, trials pooled',
            'headline': f'mean over {self.headline}s' if self.headline else 'mean over frames',
        }

    def _joint_words(self, skeleton: Skeleton) -> str:
        number = len(skeleton)
        if not self.joints:
            return f'all {number}, the root included'
        subsets: dict[tuple[int, ...], list[str]] = {}
        for name in self.metrics:
            joints = tuple(self.joints.get(name, range(number)))
            subsets.setdefault(joints, []).append(METRICS[name].title)
        parts = []
        for joints, titles in subsets.items():
            without = [skeleton.joints[j] for j in range(number) if j not in joints]
            words = f'{len(joints)} without {", ".join(without)}' if without else f'all {number}'
            parts.append(f'{" and ".join(titles)} over {words}')
        return '; '.join(parts)


_POSITION_AND_VELOCITY = ('mpjpe', 'pa_mpjpe', 'n_mpjpe', 'mpjve')
PLAIN = Protocol('plain', _POSITION_AND_VELOCITY)
HUMAN36M = Protocol(  # docs/method.md, Human3.6M
    'human36m',
    (*_POSITION_AND_VELOCITY, 'mpjve_across_borders'),
    tables=(('action', 'action'),),
    headline='action',
    groups=15,
    skeleton='h36m17',
)
MPI_INF_3DHP = Protocol(  # docs/method.md, MPI-INF-3DHP
    'mpi_inf_3dhp',
    ('mpjpe', 'mpjpe_root_0', 'pck', 'auc'),
    tables=(('sequence', 'sequence'), ('action', 'activity')),
    skeleton='mpi_inf_3dhp17',
    joints={'pck': tuple(range(14)), 'auc': tuple(range(14))},
    frames='those marked valid, the only ones that the dataset holds',
)
PROTOCOLS = {protocol.name: protocol for protocol in (PLAIN, HUMAN36M, MPI_INF_3DHP)}


def get(name: str) -> Protocol:
    """The protocol called `name`; UserError names the nearest known one."""
    if name not in PROTOCOLS:
        raise unknown('config.evaluation.protocol', name, PROTOCOLS)
    return PROTOCOLS[name]
