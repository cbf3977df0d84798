"""What results remember of their sources: fingerprints that follow the bytes, and options."""

import argparse

import numpy as np
import pytest

from capf_jax.inference import people_files, result_origin, tracks_files
from capf_jax.inference.result_origin import Origin
from tests.inference.people_samples import people
from tests.inference.tracks_samples import tracks

ORIGIN = Origin('a fingerprint', 'is cut short', {'stride': 2, 'time_range': [0.0, None]})


def test_an_origin_is_read_back_beside_the_tracks(tmp_path):
    path = tmp_path / 'walk.npz'
    tracks_files.write(path, tracks(), ORIGIN.fields())
    assert result_origin.read(path) == ORIGIN
    assert len(tracks_files.read(path)) == 2


def test_options_that_name_files_are_remembered_without_folders():
    values = argparse.Namespace(stride=2, weights='a/b.safetensors', finder=None, onnx=['c/d', 'e'])
    options = result_origin.options_of(values, ['stride'], ['weights', 'finder', 'onnx'])
    assert options == {'stride': 2, 'weights': 'b.safetensors', 'finder': None, 'onnx': ['d', 'e']}


def test_a_file_without_an_origin_has_none(tmp_path):
    path = tmp_path / 'walk.npz'
    tracks_files.write(path, tracks())
    assert result_origin.read(path) is None
    np.savez(path, anything=np.arange(3))
    assert result_origin.read(path) is None


def test_a_document_of_a_picture_has_its_origin_and_is_read_as_before(tmp_path):
    path = tmp_path / 'two.json'
    people_files.write(path, people(), ORIGIN.document())
    assert result_origin.of_picture(path) == Origin(ORIGIN.source, '', ORIGIN.options)
    assert len(people_files.read(path)) == 2
    people_files.write(path, people())
    assert result_origin.of_picture(path) is None


@pytest.mark.parametrize('text', ['[]', '{"made_of": 3}', '{"made_of": {"options": []}}'])
def test_a_document_that_was_tampered_with_has_no_origin(tmp_path, text):
    path = tmp_path / 'two.json'
    path.write_text(text)
    assert result_origin.of_picture(path) is None


def test_a_damaged_document_is_an_error(tmp_path):
    path = tmp_path / 'two.json'
    path.write_text('{')
    with pytest.raises(ValueError, match=' '):
        result_origin.of_picture(path)


@pytest.mark.parametrize('options', ['{', '[]', '[' * 100_000])
def test_an_origin_that_was_tampered_with_is_an_error_of_its_file(tmp_path, options):
    path = tmp_path / 'walk.npz'
    tracks_files.write(path, tracks(), ORIGIN.fields() | {'options': options})
    with pytest.raises(ValueError, match=' '):
        result_origin.read(path)


def test_only_options_that_both_know_are_compared():
    assert ORIGIN.other_options({'stride': 3, 'time_range': (0.0, None), 'new': 1}) == {'stride'}


def test_a_fingerprint_follows_the_bytes_and_not_the_file(tmp_path):
    content = np.random.default_rng(0).bytes(6 << 20)
    first, second = tmp_path / 'first', tmp_path / 'second'
    first.write_bytes(content)
    second.write_bytes(content)
    assert result_origin.fingerprint(first) == result_origin.fingerprint(second)
    # A download whose end came before its middle has its whole size.
    for start, stop in ((2 << 20, 3 << 20), (0, 10), ((6 << 20) - 10, 6 << 20)):
        second.write_bytes(content[:start] + bytes(stop - start) + content[stop:])
        assert result_origin.fingerprint(first) != result_origin.fingerprint(second)
    second.write_bytes(b'')
    assert result_origin.fingerprint(second).startswith('0 bytes')
