"""The command `data_pipeline.check` on a small build of MPI-INF-3DHP, and its counts."""

import shutil
import types

import numpy as np
import pytest

from data_pipeline import check
from data_pipeline.checks import counts
from data_pipeline.datasets.mpi_inf_3dhp.published import published_sizes
from tests.data_pipeline.datasets.mpi_inf_3dhp import raw_tree
from tests.data_pipeline.datasets.mpi_inf_3dhp.raw_tree import TrainSequence
from tests.data_pipeline.datasets.mpi_inf_3dhp.test_builder import build


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with the raw files and the built dataset of a training and a test sequence."""
    root = tmp_path_factory.mktemp('check')
    TrainSequence('S1').write(root / 'raw')
    raw_tree.TS5.write(root / 'raw')
    build(root / 'raw', root / 'data', subjects=('S1', 'TS5'))
    return root


def run(*arguments):
    return check.main(['check', *map(str, arguments)])


def test_a_good_dataset(folder, tmp_path, capsys):
    code = run('mpi_inf_3dhp', f'--data_dir={folder / "data"}', f'--pictures={tmp_path}')
    printed = capsys.readouterr().out
    assert code == 0
    assert '10 of 1,052,736, a subset' in printed
    assert 'since univ_annot3 is scaled' in printed
    assert 'nothing is wrong' in printed
    pages = sorted(tmp_path.iterdir())
    assert [page.name.rsplit('-', 1)[1] for page in pages] == ['test.png', 'train.png']
    assert all(page.read_bytes().startswith(b'\x89PNG') for page in pages)


def test_a_damaged_dataset(folder, tmp_path, capsys):
    build(folder / 'raw', tmp_path, subjects=('TS5',))
    next(tmp_path.rglob('*.array_record*')).unlink()
    assert run('mpi_inf_3dhp', f'--data_dir={tmp_path}', f'--pictures={tmp_path}') == 1
    assert 'is not whole' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['dataset_info.json', 'features.json'])
def test_a_datasets_information_that_is_cut_short(folder, tmp_path, capsys, name):
    shutil.copytree(folder / 'data', tmp_path / 'data')
    path = next((tmp_path / 'data').rglob(name))
    path.write_text(path.read_text()[:40])
    assert run('mpi_inf_3dhp', f'--data_dir={tmp_path / "data"}', f'--pictures={tmp_path}') == 1
    assert 'its information does not read' in capsys.readouterr().out


def test_a_source_that_lacks_most(folder, capsys):
    assert run('mpi_inf_3dhp', f'--source={folder / "raw"}') == 1
    printed = capsys.readouterr().out
    for words in ('video_8.avi', 'S8/Seq2 is missing', 'TS6 is missing', 'looks like'):
        assert words in printed


def test_nothing_built(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no dataset 'human36m' is built"):
        run('human36m', f'--data_dir={tmp_path}')


def test_a_dataset_that_has_no_source(tmp_path):
    with pytest.raises(ValueError, match='not built from a folder'):
        run('synthetic', f'--source={tmp_path}')


def stored(monkeypatch, name, labels):
    """A builder whose name is that of a whole dataset, and whose records have these labels."""
    monkeypatch.setattr(counts, 'read_labels', lambda *_: labels)
    return types.SimpleNamespace(
        name=name, builder_config=types.SimpleNamespace(name='256x192-quality95')
    )


def labels_of(sequences):
    count = len(sequences)
    text = np.full(count, 'x')
    return {
        'subject': text, 'action': text, 'sequence': np.array(sequences), 'camera': text,
        'frame': np.arange(count),
    }  # fmt: skip


def judged(builder, split):
    return {finding.what: finding for finding in counts.judge(builder, split)}


def test_counts_of_each_sequence(monkeypatch):
    published = published_sizes()['test']
    sequences = [name for name, count in published.items() for _ in range(count)]
    judgements = judged(stored(monkeypatch, 'mpi_inf_3dhp', labels_of(sequences)), 'test')
    assert {finding.verdict for finding in judgements.values()} == {'ok'}
    judgements = judged(stored(monkeypatch, 'mpi_inf_3dhp', labels_of(sequences[1:])), 'test')
    assert judgements['people of the published split'].verdict == 'WRONG'
    assert 'TS1 has 602 of 603' in judgements['people of each sequence'].says


def test_a_frame_that_is_there_twice(monkeypatch):
    labels = labels_of(['a', 'a'])
    labels['frame'][1] = 0
    judgements = judged(stored(monkeypatch, 'human36m', labels), 'train')
    assert judgements['frames'].verdict == 'WRONG'
    assert judgements['people of the published split'].says.startswith('2 of 1,559,752')


def test_published_counts():
    sizes = published_sizes()
    assert sum(sizes['train'].values()) == 8 * 131_592
    assert sum(sizes['test'].values()) == 2929
