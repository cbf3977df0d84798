"""The command `benchmarks.robust` makes what is missing; losses stand beside the plain one's."""

import json
import pathlib
import shlex

import pytest

from benchmarks import robust, robust_report
from capf_jax.errors import UserError


def sweep(least, most):
    """A noise sweep with errors of all people; those of hard frames are 3 mm larger."""
    return [
        {
            'sigma_px': sigma,
            'headline': {'mpjpe': mpjpe},
            'subsets': {robust_report.HARD: {'mpjpe': mpjpe + 3}},
        }
        for sigma, mpjpe in ((robust.LEAST, least), (2.5, 0.0), (robust.MOST, most))
    ]


def of_seeds(*errors):
    return {i: robust_report.figures(sweep(*both)) for i, both in enumerate(errors)}


def test_losses_are_shares_of_the_plain_lifters():
    scores = {'plain': of_seeds((90, 94), (100, 106)), 'all': of_seeds((89, 90), (97, 99))}
    plain, means = robust_report.table(scores)
    assert plain == [
        'nothing: the plain lifter', '95.0 (90.0, 100.0)', '100.0 (94.0, 106.0)', '5.0', '100%',
        '+0.0%', '98.0', '103.0',
    ]  # fmt: skip
    assert means == [
        'all four means', '93.0 (89.0, 97.0)', '94.5 (90.0, 99.0)', '1.5', '30%', '-2.1%', '96.0',
        '97.5',
    ]  # fmt: skip


def test_a_row_is_compared_with_the_plain_lifter_of_its_own_seeds():
    scores = {'plain': of_seeds((90, 94), (100, 110)), 'all': of_seeds((90, 91))}
    _, means = robust_report.table(scores)
    assert means[4:6] == ['25%', '+0.0%']


def test_the_goal_is_reached_with_every_seed_or_not():
    scores = {
        'plain': of_seeds((90, 94), (100, 106)),
        'noise': of_seeds((89, 90), (97, 101)),  # it loses too much with the second
        'wander': of_seeds((91, 91), (101, 101)),  # the first is more than 1% worse
        'all': of_seeds((89, 91), (101, 104)),
    }
    verdicts = robust_report.verdicts(scores)
    assert verdicts['noise'] == '**not reached** (with 1 of 2 seeds)'
    assert verdicts['wander'] == '**not reached** (with 1 of 2 seeds)'
    assert verdicts['all'] == 'reached (with 2 of 2 seeds)'
    assert verdicts['reading'] == 'not run'


class Product:
    """Stands in for the commands that train and evaluate."""

    def __init__(self):
        self.started = []

    def __call__(self, arguments):
        command, *flags = arguments
        self.started.append(command.removeprefix('capf_jax.'))
        (folder,) = (flag.partition('=')[2] for flag in flags if flag.startswith('--workdir='))
        folder = pathlib.Path(folder)
        if command == 'capf_jax.train':
            entry = {'command': shlex.join(flags), 'git_commit': 'trained1'}
            (folder / 'versions.json').write_text(json.dumps([entry]))
            (folder / 'lifter.safetensors').write_bytes(b'')
            return
        (split,) = (flag.partition('=')[2] for flag in flags if flag.startswith('--split='))
        result = {
            'protocol': {'split': split, 'versions': {'git_commit': 'scored2'}},
            'noise': sweep(90, 94) if 'plain' in folder.name else sweep(89, 90),
        }
        name = f'evaluation_latest_{len(split)}_noise.json'
        (folder / name).write_text(json.dumps(result))


@pytest.fixture
def product():
    return Product()


def run(tmp_path, product, *flags):
    folders = [f'--out={tmp_path / "out"}', f'--workdir={tmp_path / "runs"}', '--people=100']
    return robust.main(['robust', *folders, '--machine=two cores', *flags], product)


def test_what_is_trained_or_evaluated_already_is_not_done_again(tmp_path, product):
    assert run(tmp_path, product, '--rows=0') == 0
    assert product.started == ['train', 'evaluate']
    run(tmp_path, product, '--rows=05')
    assert product.started == ['train', 'evaluate'] * 2
    (tmp_path / 'out/robust-100.json').unlink()
    run(tmp_path, product, '--rows=05')
    assert product.started == ['train', 'evaluate'] * 2
    page = (tmp_path / 'out/robust-100.md').read_text()
    for words in (
        '| all four means ', '| 25% ', 'two cores', 'trained1 and scored2', 'reached (with 1 of 1',
        'Not run: noise, confidence, wander, reading', 'means=noise+confidence+wander+reading,',
    ):  # fmt: skip
        assert words in page
    assert str(tmp_path) not in page


def test_another_split_is_another_training(tmp_path, product):
    run(tmp_path, product, '--rows=0')
    with pytest.raises(UserError, match=r'was trained with .*: give another --workdir'):
        run(tmp_path, product, '--rows=0', '--split=test[:4]')


@pytest.mark.parametrize(
    ('argument', 'sentence'),
    [
        ('--rows=07', '--rows=07: give digits'),
        ('--rows=all', '--rows=all: give digits'),
        ('--seeds=one', "--seeds is 'one'; give whole numbers"),
        ('--people=0', 'train_size is 0; give >= 1'),
        (
            '--split=foo',
            "--split is 'foo' .*the rendered people are in 'train' with 100 and 'test'",
        ),
        ('--split=test[4:2]', 'it is empty'),
        ('--overrides=--config.nope=3', "no config field 'nope'"),
        ('--workdir=', '--workdir: it is empty; name a folder'),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_written(tmp_path, product, argument, sentence):
    with pytest.raises(UserError, match=sentence):
        run(tmp_path, product, argument)
    assert not product.started
    assert not list(tmp_path.iterdir())
