"""A lifter that survives bad 2D joints, on rendered people; `benchmarks.robust` has its table.

    python -m capf_jax.train --config=configs/synthetic_robust.py --workdir=runs/robust
    python -m capf_jax.evaluate --workdir=runs/robust --noise_sweep

It is configs/synthetic.py but for `config.model.lifter.robust`, which lists the means that are used
and turns them on: noise and swaps on the 2D input while training ('noise'), how sure the detector
is of each joint and how near to the input it finds it ('confidence'), sampling points that lie
farther off where it disagrees ('wander'), and where it finds the joint ('reading').
docs/method.md, "Against bad 2D joints", says how each of them works.

Arguments follow a colon, `--config=configs/synthetic_robust.py:means=noise+reading,seed=1`:
  means            means joined by +; empty: none, which is the plain lifter
  people           rendered people to train on
  step             ablation step 0-3; 'wander' is left out below step 3
  light, resolution, poses, seed   as of configs/synthetic.py
"""

from ml_collections import ConfigDict

from configs import arguments, synthetic

MEANS = 'noise+confidence+wander+reading'


def get_config(arg: str = '') -> ConfigDict:
    """The configuration for `arg`, see above."""
    chosen = arguments.parse(
        arg,
        means=MEANS,
        people=20_000,
        step=3,
        light='overhead',
        resolution='128x96',
        poses='',
        seed=0,
    )
    same = ('step', 'light', 'resolution', 'poses', 'seed')
    config = synthetic.get_config(','.join(f'{name}={chosen[name]}' for name in same))
    config.data.builder.train_size = chosen.people
    config.model.lifter.robust = means(chosen.means, chosen.step)
    return config


def means(text: str, step: int) -> tuple[str, ...]:
    """'noise+reading' -> ('noise', 'reading'); 'wander' is left out below step 3."""
    names = filter(None, text.split('+'))
    return tuple(name for name in names if step >= 3 or name != 'wander')
