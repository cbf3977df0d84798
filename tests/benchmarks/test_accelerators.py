"""benchmarks.accelerators: what is compiled, what it says, and its errors; a TPU's compiler too."""

import importlib.util
import json
import os
import subprocess
import sys

import jax
import pytest

from benchmarks import accelerator_report, accelerators, chips, compiled_steps, program_texts
from benchmarks.compiled_steps import Row
from capf_jax.errors import UserError
from tests import tiny

ROW = Row('human36m_hrnet32', 'float32', 'evaluate', 'v5e:2x2')
LIBTPU = importlib.util.find_spec('libtpu') is not None


def result(**changes):
    """A row as the command keeps it."""
    return {
        'config': 'human36m_hrnet32', 'dtype': 'bfloat16', 'step': 'train', 'topology': 'v5e:2x2',
        'chips': 4, 'hosts': 1, 'batch': 512, 'precision': 'default',
        'compile_seconds': 100.0, 'compile_processor_seconds': 90.0,
        'memory': {
            'arguments': 5, 'outputs': 4, 'shared': 3, 'temporaries': 2, 'program': 1,
        },
        'flops': 197e12, 'bytes_accessed': 1e12, 'traffic': 409.5e9, 'padding': 0,
        'collectives': {'all-reduce': {'count': 2, 'bytes': 56_000_000}}, 'loops': 0,
        'sorts': [{'sort': 'HRNet: fused convolution', 'count': 3, 'bytes': 9, 'padding': 1}],
        'date': '2026-11-27', 'machine': 'one', 'versions': {'jax': '0.10.2'},
    } | changes  # fmt: skip


@pytest.mark.parametrize('name', ['v4', 'v5e', 'v5p', 'v6e'])
def test_the_figures_of_a_chip_name_their_source(name):
    chip = chips.CHIPS[name]
    assert chip.source == f'https://docs.cloud.google.com/tpu/docs/{name}' + (
        '-training' if name == 'v5p' else ''
    )
    # Peaks are of single chips in SI units; a slip of a prefix would show.
    assert 1e14 < chip.flops < 1e15
    assert 1e10 < chip.memory < 1e11
    assert 5e11 < chip.bandwidth < 5e12


@pytest.mark.parametrize('topology', ['v7:2x2', 'v5e', 'v5e:2', 'v5e:2x', '', 'H100:1x1'])
def test_an_unknown_topology_is_an_error_that_names_those_known(topology):
    with pytest.raises(UserError, match='v5e:2x2, v6e:2x2, v4:2x2x4, v5p:2x2x1'):
        chips.chip_of(topology)


def test_a_missing_libtpu_is_an_error_that_names_the_requirements(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match=r'pip install -r requirements-accelerators\.txt'):
        chips.devices_of('v5e:2x2')


@pytest.mark.parametrize(
    ('step', 'field'), [('train', 'training.batch_size'), ('evaluate', 'evaluation.batch_size')]
)
def test_a_batch_that_does_not_divide_over_the_chips_is_an_error(step, field):
    with pytest.raises(UserError, match=rf'{field} is \d, .* the 3 devices.*multiple of 3'):
        compiled_steps.batch_size(tiny.config(), step, 3)


def test_parts_of_a_batch_must_divide_too():
    config = tiny.config(batch_size=8, accumulate=4)
    with pytest.raises(UserError, match='multiple of 16'):
        compiled_steps.batch_size(config, 'train', 4)


@pytest.mark.parametrize('text', ['v5e', 'v5e:free', 'v5e:-1', 'v5e:nan', 'v5e:'])
def test_a_price_that_is_none_is_an_error(text):
    with pytest.raises(UserError, match=r'--price has .*such as v5e:1\.2'):
        accelerators.prices_of(text)


def test_a_price_of_an_unknown_chip_is_an_error_that_names_the_nearest():
    with pytest.raises(UserError, match='v5e'):
        accelerators.prices_of('v5f:1.2')


def test_hours_get_their_money_beside():
    # 197 TFLOP a step at 197 TFLOP/s: a second for each 512 people on four chips, half of it on
    # eight, 0.4 of which are reached.
    hours = 50 * 1_559_752 / 512 / 2 / 3600 / 0.4
    (row,) = (
        line
        for line in accelerator_report.markdown([result()], {'v5e': 2.0}).splitlines()
        if '| 8 v5e' in line
    )
    assert float(row.split('|')[-2]) == pytest.approx(8 * 2.0 * hours, rel=0.05)


def test_the_shapes_are_those_of_a_real_batch():
    shapes = compiled_steps.abstract_batch(tiny.config(), 4)
    of_batch = [(x.shape, x.dtype) for x in tiny.batch(4) if x is not None]
    assert [(x.shape, x.dtype) for x in shapes if x is not None] == of_batch


def test_windows_are_no_single_crops():
    with pytest.raises(UserError, match="'sequence'"):
        compiled_steps.abstract_batch(tiny.windowed(tiny.config()), 4)


def test_all_rows_of_the_lists_are_compiled():
    rows = accelerators.rows_of(['a', 'b'], ['float32'], ['train', 'evaluate'], ['v4:2x2x4'])
    assert [row.name for row in rows] == [
        'a/float32/train/v4:2x2x4', 'a/float32/evaluate/v4:2x2x4',
        'b/float32/train/v4:2x2x4', 'b/float32/evaluate/v4:2x2x4',
    ]  # fmt: skip


def test_a_row_can_be_named_alone():
    rows = accelerators.rows_of(
        ['human36m_hrnet32'], ['float32'], ['train', 'evaluate'], ['v5e:2x2']
    )
    assert accelerators.only(rows, ROW.name) == [ROW]


def test_rows_of_overridden_fields_have_names_of_their_own():
    path, override = 'configs/human36m_hrnet32.py:step=0', '--config.training.batch_size=8'
    (name,) = accelerators.named_configs([path], [override])
    assert name == f'human36m_hrnet32:step=0 {override}'


def test_an_unknown_row_is_an_error():
    with pytest.raises(UserError, match=r'--only is .*evaluate/v5e:2x3'):
        accelerators.only([ROW], ROW.name[:-1] + '3')


def test_an_unknown_type_is_an_error():
    with pytest.raises(UserError, match=r'--dtype .*float16.*float32, bfloat16'):
        accelerators.chosen('float16', '--dtype', compiled_steps.DTYPES)


def test_results_are_read_as_they_were_written(tmp_path):
    results = {ROW.name: result(dtype='float32', step='evaluate')}
    accelerators.write_results(tmp_path, results, {})
    assert accelerators.read_results(tmp_path / 'accelerators.json') == results


def test_a_row_that_is_there_is_not_compiled_again(tmp_path, monkeypatch, capsys):
    accelerators.write_results(tmp_path, {ROW.name: result(dtype='float32', step='evaluate')}, {})

    def compiled(row, *_):
        return result(dtype=row.dtype, step=row.step, flops=1e12)

    monkeypatch.setattr(accelerators, 'compiled_row', compiled)
    monkeypatch.setattr(accelerators, '_conditions', dict)
    monkeypatch.setattr(chips, 'devices_of', lambda topology: [None] * 4)
    arguments = (f'--out={tmp_path}', '--topology=v5e:2x2', '--dtype=float32')
    accelerators.main(['accelerators', *arguments, '--config=configs/human36m_hrnet32.py'])
    rows = json.loads((tmp_path / 'accelerators.json').read_text())['rows']
    assert {row['step']: row['flops'] for row in rows} == {'evaluate': 197e12, 'train': 1e12}
    assert 'human36m_hrnet32' in capsys.readouterr().out


def test_the_least_time_is_that_of_the_slower_of_arithmetic_and_memory():
    bound = accelerator_report.bound(result())
    assert (bound.arithmetic, bound.memory, bound.seconds) == pytest.approx((1.0, 0.5, 1.0))


def test_float32_at_the_highest_precision_is_six_products():
    exact = result(dtype='float32', precision='highest')
    assert accelerator_report.bound(exact).arithmetic == pytest.approx(6.0)
    assert accelerator_report.passes(result(precision='highest')) == 1


def test_what_goes_in_and_out_in_one_place_is_counted_once():
    assert accelerator_report.memory_in_use(result()) == 5 + 4 - 3 + 2 + 1


def test_hours_are_those_of_eight_chips_with_the_whole_training():
    table = accelerator_report.markdown([result()])
    hours = 50 * 1_559_752 / 512 * 4 / 8 / 3600  # a step takes a second
    assert f'| 8 v5e                   | {hours:.2g}' in table


class Unreadable:
    """A program that jaxlib cannot read."""

    def as_text(self):
        raise jax.errors.JaxRuntimeError('INTERNAL: RET_CHECK failure')


def test_a_text_that_jaxlib_cannot_read_is_the_one_that_libtpu_wrote(tmp_path):
    (tmp_path / '1-TLP-hlo.txt').write_text('a small one')
    (tmp_path / '2-TLP-hlo.txt').write_text('the text of the program')
    (tmp_path / '2-TLP-01-fingerprints.txt').write_text('something longer than all others')
    assert program_texts.text_of(Unreadable(), tmp_path) == 'the text of the program'
    program_texts.forget(tmp_path)
    assert program_texts.text_of(Unreadable(), tmp_path) == ''


def test_options_of_the_user_stay_when_libtpu_is_asked_for_texts(monkeypatch):
    monkeypatch.setenv(program_texts.ENVIRONMENT, '--of_the_user=1')
    monkeypatch.setattr(program_texts, '_version', lambda: program_texts.KNOWN)
    with program_texts.written() as folder:
        words = os.environ[program_texts.ENVIRONMENT].split()
        assert words[:2] == ['--of_the_user=1', f'--xla_jf_dump_to={folder}']
        assert folder.is_dir()
    assert os.environ[program_texts.ENVIRONMENT] == '--of_the_user=1'


def test_another_libtpu_gets_no_options_that_would_end_the_process(monkeypatch):
    monkeypatch.delenv(program_texts.ENVIRONMENT, raising=False)
    monkeypatch.setattr(program_texts, '_version', lambda: '99.0')
    with program_texts.written() as folder:
        assert program_texts.ENVIRONMENT not in os.environ
        assert program_texts.text_of(Unreadable(), folder) == ''


def test_a_program_whose_text_cannot_be_read_keeps_the_rest_of_its_row():
    assert program_texts.text_of(Unreadable()) == ''
    unread = result(**compiled_steps.WITHOUT_TEXT)
    table = accelerator_report.markdown([unread]).splitlines()
    row = next(line for line in table if '1000.0' in line)  # XLA's bytes, which are known
    assert [cell.strip() for cell in row.split('|')].count('-') == 4


def test_hours_without_memory_traffic_say_that_they_are_of_the_products_alone():
    unread = result(topology='v6e:2x2', **compiled_steps.WITHOUT_TEXT)
    assert '| 8 v6e (products alone) |' in accelerator_report.markdown([unread])


def test_another_dataset_gets_no_hours():
    assert 'No row of a v5e' in accelerator_report.markdown([result(config='synthetic')])


WRITTEN = """
import jax
from benchmarks import chips, hlo_text, program_texts

with program_texts.written() as folder:
    chip = jax.sharding.SingleDeviceSharding(chips.devices_of('v6e:2x2')[0])
    x = jax.ShapeDtypeStruct((8, 128), 'float32', sharding=chip)
    compiled = jax.jit(lambda x: (x @ x.T).sum()).lower(x).compile()
    (path,) = folder.glob('*-TLP-hlo.txt')
    kinds = [
        [operation.kind for operation in hlo_text.parse(text).operations()]
        for text in (path.read_text(), compiled.as_text())
    ]
    assert kinds[0] == kinds[1] and len(kinds[0]) > 2, kinds
"""


@pytest.mark.skipif(not LIBTPU, reason='libtpu is not installed')
def test_libtpu_writes_the_text_that_jaxlib_reads():
    # libtpu reads its options once, when a process loads it.
    subprocess.run([sys.executable, '-c', WRITTEN], check=True)


@pytest.mark.skipif(not LIBTPU, reason='libtpu is not installed')
@pytest.mark.parametrize('step', compiled_steps.STEPS)
def test_a_small_model_compiles_for_a_tpu(step):
    config = tiny.config()
    config.model.lifter.update(ablation_step=3)
    row = compiled_steps.compiled_row(Row('tiny', 'float32', step, 'v5e:2x2'), config)
    assert row['chips'] == 4
    assert row['flops'] > 0
    assert row['loops'] == 0  # no gather becomes one
    kind = 'all-reduce' if step == 'train' else 'all-gather'
    assert row['collectives'].get(kind, {'count': 0})['count'] > 0
