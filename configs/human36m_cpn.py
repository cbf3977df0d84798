"""Context-Aware PoseFormer with CPN-50 on Human3.6M, as published (paper, Table 1).

    python -m data_pipeline.build human36m --source=FOLDER
    python -m capf_jax.train --config=configs/human36m_cpn.py --workdir=runs/human36m_cpn

Not run here: the dataset is licensed. The paper's score, not ours: 41.6 mm MPJPE, 33.9 mm PA-MPJPE,
means over the 15 actions.
Hardware and time, estimated and not measured: one H100, about 6 hours (78 million samples of
15 GFLOP, 60 TFLOP/s).
Arguments, and where paper and published code differ: configs/human36m_hrnet32.py.
"""

from ml_collections import ConfigDict

from configs import human36m_hrnet32


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    config = human36m_hrnet32.configure(arg, detector='cpn50')
    config.training.batch_size = 256
    config.training.learning_rate = 3.2e-4
    return config
