"""The converter takes a state dict whole and in shape, or lists everything that is wrong."""

import weakref

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from converters import engine


class _Network(nn.Module):
    """One layer of each kind a rule exists for."""

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(5, (3, 3), padding=1, name='conv')(images)
        x = nn.BatchNorm(use_running_average=True, epsilon=1e-5, name='norm')(x)
        x = nn.LayerNorm(epsilon=1e-5, name='layer_norm')(x)
        return nn.Dense(2, name='head')(x)


RULES = [
    *engine.conv('0', ('params', 'conv'), bias=True),
    *engine.batch_norm('1', ('norm',)),
    *engine.layer_norm('3', ('params', 'layer_norm')),
    *engine.linear('4', ('params', 'head')),
]


class _ToNHWC(torch.nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1)


@pytest.fixture
def torch_network():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3, padding=1),
        torch.nn.BatchNorm2d(5),
        _ToNHWC(),
        torch.nn.LayerNorm(5),
        torch.nn.Linear(5, 2),
    ).eval()
    network[1].running_mean.normal_()
    network[1].running_var.uniform_(0.5, 2)
    return network


@pytest.fixture
def state(torch_network):
    return {key: value.numpy() for key, value in torch_network.state_dict().items()}


@pytest.fixture
def expected():
    return jax.eval_shape(_Network().init, jax.random.key(0), np.zeros((1, 4, 4, 3), np.float32))


def test_converted_weights_compute_the_same(torch_network, state, expected):
    images = np.random.default_rng(0).standard_normal((2, 6, 4, 3)).astype(np.float32)
    variables = engine.to_flax(state, RULES, expected, 'network')
    with torch.no_grad():
        theirs = torch_network(torch.tensor(images.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(_Network().apply(variables, images), theirs, atol=1e-5)


def test_there_and_back_is_the_identity(state, expected):
    back = engine.to_torch(engine.to_flax(state, RULES, expected, 'network'), RULES)
    assert back.keys() == state.keys()
    for key, array in back.items():
        np.testing.assert_array_equal(array, state[key], err_msg=key)


@pytest.mark.parametrize('way', ['to_flax', 'to_torch'])
def test_what_is_consumed_is_let_go_as_it_is_converted(way):
    arrays = [np.ones((2, 3), np.float32) for _ in range(4)]
    held = [weakref.ref(array) for array in arrays]
    left = []  # number of arrays in memory when each is converted

    def counted(array):
        if array.dtype == np.float32:  # false where the engine asks for shapes alone
            left.append(sum(one() is not None for one in held))
        return array.T

    layout = engine.Layout('counted', counted, counted)
    rules = [engine.Rule(str(i), ('params', f'leaf{i}'), layout) for i in range(4)]
    if way == 'to_flax':
        leaf = jax.ShapeDtypeStruct((3, 2), np.float32)
        arrays_in = {str(i): arrays.pop() for i in range(4)}
        expected = {'params': {f'leaf{i}': leaf for i in range(4)}}
        converted = engine.to_flax(arrays_in, rules, expected, 'counted', consume=True)['params']
    else:
        arrays_in = {'params': {f'leaf{i}': arrays.pop() for i in range(4)}}
        converted = engine.to_torch(arrays_in, rules, consume=True)
    assert left == [4, 3, 2, 1]
    assert arrays_in == {}
    assert all(array.shape == (3, 2) and array.flags.c_contiguous for array in converted.values())


@pytest.mark.parametrize(
    ('numbers', 'stored'),
    [
        ('float16', 'float16'),
        ('bfloat16', 'bfloat16'),
        ('float32', 'float32'),
        ('float64', 'float32'),
    ],
)
def test_half_precision_stays_and_all_else_becomes_what_the_model_has(numbers, stored):
    expected = {'params': {'kernel': jax.ShapeDtypeStruct((3, 2), np.float32)}}
    state = {'weight': np.ones((2, 3), jnp.dtype(numbers))}
    rules = [engine.Rule('weight', ('params', 'kernel'), engine.LINEAR)]
    assert engine.to_flax(state, rules, expected, 'one')['params']['kernel'].dtype == stored


@pytest.mark.parametrize('kind', ['int8', 'int32', 'bool', 'complex64'])
def test_numbers_that_are_no_weights_are_refused(state, expected, kind):
    state['3.bias'] = state['3.bias'].astype(kind)
    with pytest.raises(ValueError, match=f'type: 3.bias holds {kind} numbers'):
        engine.to_flax(state, RULES, expected, 'network')


def test_shapes_of_a_state_dict_follow_from_the_model(state, expected):
    rules = [*RULES, engine.Rule('fc.weight', None), engine.Rule('fc.bias', None, shape=(9,))]
    shapes = {key: np.shape(array) for key, array in state.items()}
    assert engine.torch_shapes(rules, expected) == {**shapes, 'fc.bias': (9,)}


def test_dropped_keys_are_reported_by_reason_and_may_be_absent(state, expected):
    rules = [*RULES, engine.Rule('fc.weight', None, reason='classifier')]
    assert engine.dropped(state, rules) == {
        'counts of training batches, never read': ['1.num_batches_tracked']
    }
    del state['1.num_batches_tracked']
    assert engine.dropped(state, rules) == {}
    assert engine.to_flax({**state, 'fc.weight': np.zeros(9)}, rules, expected, 'network')


def test_dropped_weights_that_published_code_asks_for_go_back_as_they_came_or_as_zeros(
    state, expected
):
    rules = [*RULES, engine.Rule('train.weight', None, shape=(2, 3))]
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    state['train.weight'] = weight
    variables, aside = engine.to_flax(state, rules, expected, 'n'), engine.set_aside(state, rules)
    np.testing.assert_array_equal(engine.to_torch(variables, rules, aside)['train.weight'], weight)
    zeros = engine.to_torch(variables, rules)
    np.testing.assert_array_equal(zeros['train.weight'], np.zeros((2, 3), np.float32))
    assert zeros['1.num_batches_tracked'].dtype == np.int64


def test_a_long_list_of_problems_is_cut_and_hides_no_kind(state, expected):
    del state['3.bias']
    state |= {f'extra{i}': np.zeros(()) for i in range(engine.LISTED + 3)}
    with pytest.raises(ValueError, match=r'14 problems'):
        engine.to_flax(state, RULES, expected, 'network')
    problems = engine.differences(state, RULES, expected)
    lines = engine.report('network', problems, 'Try another file.').splitlines()[1:]
    assert len(lines) == engine.LISTED + 2
    assert lines[0] == '  missing: 3.bias'
    assert lines[-2:] == ['  and 4 more unexpected', 'Try another file.']


def test_several_keys_fill_the_rows_of_one_leaf_and_come_back():
    rules = [
        engine.Rule('query', ('params', 'qkv'), engine.LINEAR, rows=(0, 2)),
        engine.Rule('value', ('params', 'qkv'), engine.LINEAR, rows=(3, 5)),
        engine.Rule('key', ('params', 'qkv'), engine.LINEAR, rows=(2, 3)),
    ]
    weight = np.arange(20, dtype=np.float32).reshape(5, 4)
    state = {'query': weight[:2], 'key': weight[2:3], 'value': weight[3:]}
    expected = {'params': {'qkv': jax.ShapeDtypeStruct((4, 5), np.float32)}}
    variables = engine.to_flax(state, rules, expected, 'rows')
    np.testing.assert_array_equal(variables['params']['qkv'], weight.T)
    back = engine.to_torch(variables, rules, consume=True)
    for key, array in state.items():
        np.testing.assert_array_equal(back[key], array)
    state['key'] = weight[2:4]
    with pytest.raises(ValueError, match=r'key is \(2, 4\), it should be \(1, 4\)'):
        engine.to_flax(state, rules, expected, 'rows')


def test_one_error_lists_everything_that_does_not_meet(state, expected):
    del state['3.bias']
    state['extra.weight'] = np.zeros(3)
    state['4.weight'] = state['4.weight'].T
    rules = [rule for rule in RULES if rule.key != '0.bias']
    rules.append(engine.Rule('5.weight', ('params', 'nowhere', 'kernel')))
    with pytest.raises(ValueError, match='network cannot be converted, 7 problems') as error:
        engine.to_flax(state, rules, expected, 'network')
    lines = str(error.value).splitlines()[1:]
    assert sorted(line.strip() for line in lines) == [
        'missing: 3.bias',
        'missing: 5.weight',
        'no PyTorch key fills: params/conv/bias',
        'not in the Flax model: 5.weight -> params/nowhere/kernel',
        'shape: 4.weight is (5, 2), it should be (2, 5)',
        'unexpected: 0.bias',
        'unexpected: extra.weight',
    ]


def test_a_square_weight_is_still_transposed():
    weight = np.arange(4.0, dtype=np.float32).reshape(2, 2)
    rules = [engine.Rule('w', ('params', 'kernel'), engine.LINEAR)]
    expected = {'params': {'kernel': jax.ShapeDtypeStruct((2, 2), np.float32)}}
    variables = engine.to_flax({'w': weight}, rules, expected, 'square')
    np.testing.assert_array_equal(variables['params']['kernel'], weight.T)


@pytest.mark.parametrize(
    ('double', 'message'),
    [
        (engine.Rule('4.bias', ('params', 'elsewhere')), 'PyTorch key twice: 4.bias'),
        (engine.Rule('6.bias', ('params', 'head', 'bias')), 'Flax leaf twice: .*head'),
    ],
)
def test_a_table_that_names_something_twice_is_refused(state, expected, double, message):
    with pytest.raises(ValueError, match=message):
        engine.to_flax(state, [*RULES, double], expected, 'network')


def test_the_way_back_is_strict_too(state, expected):
    variables = engine.to_flax(state, RULES, expected, 'network')
    del variables['params']['head']['bias']
    with pytest.raises(ValueError, match='params/head/bias'):
        engine.to_torch(variables, RULES)
