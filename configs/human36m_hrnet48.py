"""Context-Aware PoseFormer with HRNet-W48 on Human3.6M, as published (paper, Table 1).

    python -m data_pipeline.build human36m --source=FOLDER
    python -m capf_jax.train --config=configs/human36m_hrnet48.py --workdir=runs/human36m_hrnet48

Not run here: the dataset is licensed. The paper's score, not ours: 39.8 mm MPJPE, 32.7 mm PA-MPJPE,
means over the 15 actions.
Hardware and time, estimated and not measured: one H100, about 11 hours (78 million samples of
31 GFLOP, 60 TFLOP/s).
Arguments, and where paper and published code differ: configs/human36m_hrnet32.py.
"""

from ml_collections import ConfigDict

from configs import human36m_hrnet32


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    return human36m_hrnet32.configure(arg, detector='hrnet_w48')
