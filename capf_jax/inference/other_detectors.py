"""Detectors of other programs, of which the user has files, by the name that the command takes."""

from __future__ import annotations

from collections.abc import Sequence

from capf_jax.errors import UserError
from capf_jax.inference import onnx_files, rtmpose
from capf_jax.inference.person_boxes import Finder
from capf_jax.inference.photograph_models import JointDetector
from capf_jax.inference.rtmpose import RtmposeDetector
from capf_jax.inference.yolox import YoloxFinder

NAMES = ('rtmpose',)
EXAMPLE = '--detector=rtmpose --detector_files=YOLOX.onnx,RTMPOSE.onnx'


def load(name: str, paths: Sequence[str]) -> tuple[JointDetector, Finder | None]:
    """A detector of 2D joints, and the finder of people among its files, if there is one.

    Args:
      name: one of `NAMES`.
      paths: of 'rtmpose' the ONNX file of RTMPose, and that of YOLOX where it is to find the
        people; in any order.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: an extra package is missing, or the files are others.
    """
    if name not in NAMES:
        raise UserError(f'there is no detector {name!r}; give {EXAMPLE}')
    sessions = {path: onnx_files.open_session(path) for path in paths}
    detectors = [path for path, session in sessions.items() if rtmpose.is_rtmpose(session)]
    finders = [path for path in sessions if path not in detectors]
    if len(detectors) != 1 or len(finders) > 1:
        raise UserError(
            f'{", ".join(paths)} must be one file of RTMPose, and one of YOLOX at most; '
            f'give {EXAMPLE}'
        )
    detector = RtmposeDetector.of(detectors[0], sessions[detectors[0]])
    return detector, YoloxFinder.of(finders[0], sessions[finders[0]]) if finders else None
