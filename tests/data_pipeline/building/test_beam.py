"""Apache Beam builds the same dataset as we do here."""

import importlib.util

import pytest
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from data_pipeline import datasets
from tests.data_pipeline.building import toy
from tests.data_pipeline.building.toy import contents


@pytest.mark.filterwarnings('default')  # Beam's own
def test_beam_gives_the_same_dataset(tmp_path):
    pytest.importorskip('apache_beam')
    here, beam = toy.builder(tmp_path / 'here'), toy.builder(tmp_path / 'beam')
    here.download_and_prepare()
    beam.download_and_prepare(
        download_config=tfds.download.DownloadConfig(beam_runner='DirectRunner')
    )
    datasets.check_whole(beam)
    assert contents(beam) == contents(here)
    assert beam.info.splits['train'].shard_lengths == here.info.splits['train'].shard_lengths
    names = [sorted(p.name for p in b.data_path.glob('*record*')) for b in (here, beam)]
    assert names[0] == names[1]
    assert [path.name for path in beam.data_path.parent.iterdir()] == ['1.0.0']


def test_a_missing_beam_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    data = ConfigDict({'name': 'human36m', 'dir': str(tmp_path), 'builder': {}})
    with pytest.raises(ValueError, match=r'pip install -r requirements-beam\.txt'):
        datasets.open_or_build(data, build=True, beam_runner='DirectRunner')
