import pytest

from benchmarks import machine, run, sampling


@pytest.fixture
def one_row(monkeypatch):
    monkeypatch.setattr(machine, 'matmul_peak', lambda: 1e9)
    monkeypatch.setattr(run, 'keep_freed_memory', lambda: None)
    monkeypatch.setattr(run.parallel, 'compute_inline', lambda: None)
    monkeypatch.setattr(sampling, 'rows', lambda many='1': [machine.Row('x', 1e-3)] * int(many))


def test_prints_a_table(one_row, capsys):
    run.main(['sampling'])
    assert '| x      | 1.00' in capsys.readouterr().out


def test_flags_reach_the_benchmark(one_row, capsys):
    run.main(['sampling', '--many=2'])
    assert capsys.readouterr().out.count('| x ') == 2


@pytest.mark.parametrize('argument', ['--more=2', '--many'])
def test_unknown_flag_is_named(one_row, argument):
    with pytest.raises(SystemExit, match='is no flag of sampling; they take --many='):
        run.main(['sampling', argument])


def test_unknown_benchmark_is_named(one_row):
    with pytest.raises(SystemExit, match=r'no benchmark is called nothing; there are .*conversion'):
        run.main(['nothing'])
