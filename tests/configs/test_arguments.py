"""Arguments behind the name of a config file are read, or refused in one sentence."""

import pytest

from configs import arguments


@pytest.mark.parametrize('arg', [None, '', ' , '])
def test_nothing_given_leaves_defaults(arg):
    parsed = arguments.parse(arg, step=3, light='overhead')
    assert parsed.to_dict() == {'step': 3, 'light': 'overhead'}


def test_values_take_the_types_of_their_defaults():
    parsed = arguments.parse(
        'step=0, light=random,rate=1e-3,control=true', step=3, light='', rate=1.0, control=False
    )
    assert parsed.to_dict() == {'step': 0, 'light': 'random', 'rate': 1e-3, 'control': True}
    assert type(parsed.control) is bool


def test_unknown_argument_names_the_nearest():
    with pytest.raises(ValueError, match="no argument 'sed'; the nearest is 'seed'"):
        arguments.parse('sed=1', step=3, seed=0)


@pytest.mark.parametrize(
    ('arg', 'message'),
    [
        ('step=two', "'step' must be of type int, got 'two'"),
        ('control=maybe', "'control' must be of type bool"),
        ('step', 'not of the form name=value'),
        ('step=1,step=2', 'given twice'),
    ],
)
def test_bad_value_is_named(arg, message):
    with pytest.raises(ValueError, match=message):
        arguments.parse(arg, step=3, control=False)


def test_result_is_locked():
    with pytest.raises(AttributeError):
        arguments.parse('', step=3).stepp = 1


def test_resolution_is_height_first():
    assert arguments.resolution('256x192') == (256, 192)


@pytest.mark.parametrize('text', ['256', '256x', 'ax192'])
def test_resolution_of_another_form_is_an_error(text):
    with pytest.raises(ValueError, match=text):
        arguments.resolution(text)


@pytest.mark.parametrize(('text', 'expected'), [('', ()), ('0', (0,)), ('0+1+3', (0, 1, 3))])
def test_levels_are_joined_by_plus(text, expected):
    assert arguments.levels(text) == expected


@pytest.mark.parametrize('text', ['0,1', 'fine', '0+', '1+1', '-1'])
def test_levels_of_another_form_are_an_error(text):
    with pytest.raises(ValueError, match='joined by'):
        arguments.levels(text)
