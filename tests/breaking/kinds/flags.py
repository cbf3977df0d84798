"""Values of configuration fields: those without sense, by hand and by the type of every field."""

from collections.abc import Iterator

from capf_jax.runtime import configuration, value_checks
from tests import tiny
from tests.breaking.kinds import senseless_values
from tests.breaking.runner import EITHER, REFUSED, Case
from tests.breaking.world import World

NO_NUMBERS = ('nan', 'inf', '-inf', '-1e300', '1' + '0' * 400, 'None', '"many"', '(1,)', '{}')
NO_TEXTS = ('3', 'None', '(1,)', '\x1b[31m', '', 'n' * 10_000, '../../x')
NO_SWITCHES = ('maybe', '2', 'None')
SPLITS = ('train[5:2]', 'train[', 'nothing', 'test[:0]', 'test[90%:80%]', 'test[', 'train+', '[:3]')
BACKENDS = ('cuda', 'tpu', 'gpu', 'nonsense', ',', 'cpu,cuda')


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    for flag in senseless_values.WITHOUT_SENSE:
        arguments = (
            '--config=configs/synthetic.py', f'--workdir={world.place()}', f'--config.{flag}'
        )  # fmt: skip
        name = flag.split('=')[0].split('.')[-1]
        yield Case('flags', flag, 'train', arguments, REFUSED, name)
    fields = configuration.flatten(tiny.config().to_dict())
    for field, value in fields.items():
        if field not in value_checks.CHECKS and not field.startswith('data.builder.'):
            continue
        if isinstance(value, bool):
            values, expected = NO_SWITCHES, REFUSED
        elif isinstance(value, (int, float)):
            values, expected = NO_NUMBERS, REFUSED
        else:
            values, expected = NO_TEXTS, EITHER
        for one in values:
            if f'{field}={one}' in senseless_values.WITHOUT_SENSE:
                continue
            arguments = world.training(world.place(), f'--config.{field}={one}')
            # What is allowed by chance stops there: this file of weights is missing.
            arguments += ('--config.training.start=/missing.safetensors',)
            yield Case('flags', f'{field}={one[:20]}', 'train', arguments, expected)
    for split in SPLITS:
        arguments = world.training(world.place(), f'--config.data.test_split={split}')
        yield Case('flags', f'test_split={split}', 'train', arguments, REFUSED)
    for value in BACKENDS:
        case = Case(
            'flags', f'JAX_PLATFORMS={value}', 'train', world.training(world.place()), EITHER,
            'JAX_PLATFORMS', (('JAX_PLATFORMS', value),),
        )  # fmt: skip
        yield case
