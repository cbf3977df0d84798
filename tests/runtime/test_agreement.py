"""What differs between the processes of a run is said with the values and whose they are."""

import pytest

from capf_jax.runtime import agreement
from configs import base


def test_equal_processes_agree():
    start = agreement.of_start('train', base.get_config(), 'runs/x')
    agreement.check([start, dict(start)], 'advice')


def test_each_difference_is_said_with_its_processes():
    values = [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}, {'a': 1, 'b': 'x'}, {'a': 2.5, 'b': None}]
    sentence = (
        'the processes of this run differ: a is 1 in processes 0 and 2, 2 in process 1, '
        '2.5 in process 3; b is x in processes 0, 1 and 2, null in process 3: advice'
    )
    with pytest.raises(ValueError, match='differ') as caught:
        agreement.check(values, 'advice')
    assert str(caught.value) == sentence


def test_many_differences_are_counted():
    values = [{f'field {i}': side for i in range(30)} for side in 'ab']
    with pytest.raises(ValueError, match=r'field 9 .*; and 20 more: advice'):
        agreement.check(values, 'advice')


@pytest.mark.parametrize(
    ('field', 'value'),
    [('training.learning_rate', 0.1), ('seed', 1), ('training.log_steps', 7), ('task', 'detector')],
)
def test_a_field_is_compared(field, value):
    config = base.get_config()
    one = agreement.of_start('train', config, 'runs/x')
    config.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=f'config.{field} is .*{value} in process 1'):
        agreement.check([one, agreement.of_start('train', config, 'runs/x')], 'advice')


def test_hosts_may_keep_their_data_in_other_places():
    config = base.get_config()
    one = agreement.of_start('train', config, 'runs/x')
    config.data.dir, config.data.threads = '/elsewhere', 3
    agreement.check([one, agreement.of_start('train', config, 'runs/x')], 'advice')


def test_a_file_is_compared_by_its_content(tmp_path):
    for name, content in (('a', b'1'), ('b', b'1'), ('c', b'2')):
        (tmp_path / name).write_bytes(content)
    seen = {
        name: agreement.of_files({'--weights': str(tmp_path / name)})
        for name in ('a', 'b', 'c', 'd')
    }
    agreement.check([seen['a'], seen['b']], 'advice')
    for other in ('c', 'd'):
        with pytest.raises(ValueError, match='the checksum of the file at --weights is'):
            agreement.check([seen['a'], seen[other]], 'advice')
