"""Context-Aware PoseFormer with HRNet-W32 on Human3.6M, made to survive bad 2D joints.

    python -m capf_jax.train --config=configs/human36m_hrnet32_robust.py --workdir=runs/robust
    python -m capf_jax.evaluate --workdir=runs/robust --noise_sweep

Not run here: the dataset is licensed, and this is no experiment of the paper, so that there is no
score to expect. It is configs/human36m_hrnet32.py but for `config.model.lifter.robust`, whose means
are measured on rendered people (configs/synthetic_robust.py). HRNet finds COCO's joints; those of
Human3.6M are made of them by the rule `config.model.joint_conversion`. To stand beside, of other
papers: from clean joints to a noise of 5 px, CA-PF loses 23.5 mm (41.4 to 64.9), and PandaPose
8.4 mm (39.8 to 48.2).

Arguments follow a colon, as of configs/human36m_hrnet32.py, and
  means            of 'noise', 'confidence', 'wander' and 'reading', joined by +
"""

from ml_collections import ConfigDict

from configs import human36m_hrnet32, synthetic_robust


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    parts = [part.strip() for part in (arg or '').split(',')]
    chosen = [part for part in parts if part.partition('=')[0].strip() == 'means']
    config = human36m_hrnet32.get_config(','.join(part for part in parts if part not in chosen))
    text = chosen[-1].partition('=')[2] if chosen else synthetic_robust.MEANS
    config.model.lifter.robust = synthetic_robust.means(text, config.model.lifter.ablation_step)
    return config
