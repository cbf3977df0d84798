"""What results remember of their videos: fingerprints that follow the bytes, and options."""

import numpy as np
import pytest

from capf_jax.inference import tracks_files
from capf_jax.inference.video import result_origin
from capf_jax.inference.video.result_origin import Origin
from tests.inference.tracks_samples import tracks

ORIGIN = Origin('a fingerprint', 'is cut short', {'stride': 2, 'time_range': [0.0, None]})


def test_an_origin_is_read_back_beside_the_tracks(tmp_path):
    path = tmp_path / 'walk.npz'
    tracks_files.write(path, tracks(), ORIGIN.fields())
    assert result_origin.read(path) == ORIGIN
    assert len(tracks_files.read(path)) == 2


def test_a_file_without_an_origin_has_none(tmp_path):
    path = tmp_path / 'walk.npz'
    tracks_files.write(path, tracks())
    assert result_origin.read(path) is None
    np.savez(path, anything=np.arange(3))
    assert result_origin.read(path) is None


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
