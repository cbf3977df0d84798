"""Published scores on Human3.6M, with the frames and the cost of each, and where they are from.

None of these was obtained with this repository. Errors are MPJPE on S9 and S11 from detected 2D
joints. A cost is of one predicted frame, 10^9 operations, two a multiply-add: of the lifter alone,
as every method's 2D detector is left out. Methods that predict all frames of a window at once share
its cost among them.
"""

from __future__ import annotations

import dataclasses

PAPER = (
    'Zhao et al., "A Single 2D Pose with Context is Worth Hundreds for 3D Human Pose Estimation", '
    'NeurIPS 2023'
)
APPENDIX = f'{PAPER}, appendix C'
# Costs there are multiply-adds a frame: of MHFormer 7,096 M, P-STMO 740 M, PoseFormerV2 528 M,
# GLA-GCN 1,556 M, MixSTE 572 M, MotionBERT 719 M, MotionAGFormer-L 322 M.
SURVEY = 'the HSTGFormer paper, Table 1, which lists frames, multiply-adds and errors of others'
PANDA = 'PandaPose, 2025, as docs/method.md, "Published scores to stand beside", quotes it'
LATER = 'docs/method.md, "Published scores to stand beside"'
COUNTED = 'the cost is counted by capf_jax.models.cost'


@dataclasses.dataclass(frozen=True)
class Published:
    """One published score.

    Attributes:
      method: its name, as a figure writes it.
      frames: how many frames go in.
      mpjpe: mm.
      gflops: of one predicted frame; None where no source says.
      source: where the score, and the cost, is from.
      has_context: whether the detector's maps go in beside the 2D joints.
    """

    method: str
    frames: int
    mpjpe: float
    source: str
    gflops: float | None = None
    has_context: bool = False

    @property
    def is_cost_counted(self) -> bool:
        """Whether the cost is counted by this repository, and not quoted."""
        return COUNTED in self.source


RESULTS = (
    Published('CA-PF, HRNet-48', 1, 39.8, f'{PAPER}; {COUNTED}', 0.627, True),
    Published('CA-PF, HRNet-32', 1, 41.4, f'{PAPER}, Table 3; {COUNTED}', 0.609, True),
    Published('CA-PF, CPN', 1, 41.6, f'{PAPER}; {COUNTED}', 0.650, True),
    Published('CA-PF-S', 1, 44.7, f'{APPENDIX}; {COUNTED}', 0.034, True),
    Published('CA-PF-S', 3, 44.2, f'{APPENDIX}; {COUNTED}', 0.185, True),
    Published('CA-PF-S', 9, 43.4, f'{APPENDIX}; {COUNTED}', 0.556, True),
    Published('CA-PF-S', 27, 40.2, f'{APPENDIX}; {COUNTED}', 1.669, True),
    Published('PoseFormer', 1, 53.2, f'{PAPER}; {COUNTED}', 0.020),
    Published('PoseFormer', 3, 51.0, f'{PAPER}; {COUNTED}', 0.060),
    Published('PoseFormer', 9, 49.9, f'{PAPER}; {COUNTED}', 0.181),
    Published('PoseFormer', 81, 44.3, f'{PAPER}; {COUNTED}', 1.625),
    Published('PandaPose', 1, 39.8, PANDA, None, True),
    Published('GraphMLP', 1, 49.2, LATER),
    Published('MHFormer', 351, 43.0, SURVEY, 14.192),
    Published('P-STMO', 243, 42.8, SURVEY, 1.480),
    Published('PoseFormerV2', 243, 45.2, SURVEY, 1.056),
    Published('GLA-GCN', 243, 44.4, SURVEY, 3.112),
    Published('MixSTE', 243, 40.9, SURVEY, 1.144),
    Published('MotionBERT', 243, 39.2, SURVEY, 1.438),
    Published('MotionAGFormer-L', 243, 38.4, SURVEY, 0.644),
    Published('SSR-STF', 243, 37.4, LATER),
)
