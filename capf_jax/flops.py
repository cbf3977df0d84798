"""Parameters and FLOPs of the model that a configuration describes.

    python -m capf_jax.flops --config=configs/human36m_hrnet32.py
    python -m capf_jax.flops --config=configs/human36m_hrnet32.py:step=1
    python -m capf_jax.flops --config=configs/synthetic.py --config.model.lifter.channels=64

Nothing is computed, and no file of weights or data is read. FLOPs are those of one forward pass for
one person, counted as the paper's Table 3 counts them: 2 x the multiply-adds of dense layers and
convolutions, without the products of attention. Of a sequence lifter they are those of one new
frame of a stream, which is encoded once; below stand those of a whole window, and PoseFormer's.
"""

from __future__ import annotations

from collections.abc import Sequence

from ml_collections import ConfigDict

from capf_jax import assembly
from capf_jax.inference import model_settings
from capf_jax.models.cost import Cost
from capf_jax.runtime import commands, configuration
from capf_jax.scoring import tables


def costs(config: ConfigDict) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """The costs of a configuration's model by its part, and those of what stands beside it.

    Raises:
      UserError: the configuration describes no model.
    """
    entry, data = model_settings.detector_entry(config.model), config.data.builder
    crop = int(data.get('height', entry.crop[0])), int(data.get('width', entry.crop[1]))
    task = assembly.make_task(config)
    return task.costs(crop), task.costs_beside(crop)


def table(parts: dict[str, Cost], beside: dict[str, Cost], form: str = 'text') -> str:
    """One row a part, one for the whole, and those of `beside`; `form` is of `tables.FORMATS`."""
    rows = [[name, f'{part.parameters:,}', _words(part.flops)] for name, part in parts.items()]
    if len(parts) > 1:
        whole = sum(parts.values(), Cost(0, 0))
        rows += [tables.SEPARATOR, ['together', f'{whole.parameters:,}', _words(whole.flops)]]
    others = [[name, f'{one.parameters:,}', _words(one.flops)] for name, one in beside.items()]
    rows += [tables.SEPARATOR, *others] if others else []
    return tables.grid(rows, ['', 'parameters', 'FLOPs'], form)


def _words(flops: int) -> str:
    """Such as '609.9 M'."""
    return f'{flops / 1e9:.2f} G' if flops >= 1e9 else f'{flops / 1e6:.1f} M'


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('capf_jax.flops', __doc__)
    parser.add_argument(
        '--format', default='text', choices=tuple(tables.FORMATS), help='of the table'
    )
    arguments = configuration.parse(argv, required=('config',), parser=parser)
    assert arguments.config is not None  # `parse` requires one.
    print(table(*costs(arguments.config), form=arguments.values.format))
    return 0


if __name__ == '__main__':
    commands.run(main)
