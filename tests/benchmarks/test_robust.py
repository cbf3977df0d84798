"""The table of the means against bad 2D joints: losses beside the plain lifter's."""

import pytest

from benchmarks import robust
from capf_jax.errors import UserError


def sweep(least, most):
    """A noise sweep with errors of all people; those of hard frames are 3 mm larger."""
    return [
        {
            'sigma_px': sigma,
            'headline': {'mpjpe': mpjpe},
            'subsets': {robust.HARD: {'mpjpe': mpjpe + 3}},
        }
        for sigma, mpjpe in ((robust.LEAST, least), (2.5, 0.0), (robust.MOST, most))
    ]


def test_losses_are_shares_of_the_plain_lifters():
    scores = {
        'plain': [robust.figures(sweep(90, 94)), robust.figures(sweep(100, 106))],
        'means': [robust.figures(sweep(89, 90)), robust.figures(sweep(97, 99))],
    }
    plain, means = robust.table(scores)
    assert plain == [
        'plain', '95.0 (90.0, 100.0)', '100.0 (94.0, 106.0)', '5.0', '100%', '+0.0%',
        '98.0', '103.0',
    ]  # fmt: skip
    assert means == [
        'means', '93.0 (89.0, 97.0)', '94.5 (90.0, 99.0)', '1.5', '30%', '-2.1%', '96.0', '97.5',
    ]  # fmt: skip


@pytest.mark.parametrize('argument', ['--rows=07', '--rows=all', '--seeds=one'])
def test_an_argument_that_names_nothing_is_one_sentence(argument):
    with pytest.raises(UserError, match=argument):
        robust.main(['benchmarks.robust', argument])
