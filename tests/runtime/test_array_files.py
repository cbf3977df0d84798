"""NumPy archives of strangers are read, or refused before memory is taken."""

import io
import zipfile

import numpy as np
import pytest

from capf_jax.runtime import array_files


def test_all_arrays_are_read_or_those_that_are_named(tmp_path):
    path = tmp_path / 'a.npz'
    np.savez(path, one=np.arange(3), two=np.array(['x', 'y']))
    assert array_files.read(path)['two'].tolist() == ['x', 'y']
    assert array_files.read(path, ('one',))['two'].size == 0


def test_a_header_that_declares_more_than_there_is_is_refused(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.zeros(1000))
    content = stream.getvalue().replace(b'(1000,)', b'(9999,)')
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as file:
        file.writestr('one.npy', content)
    with pytest.raises(ValueError, match=r'one\.npy declares \[9999\] and holds another size'):
        array_files.read(tmp_path / 'a.npz')


def test_an_archive_that_is_too_large_is_refused(tmp_path):
    np.savez(tmp_path / 'a.npz', one=np.zeros(1000))
    with pytest.raises(ValueError, match='hold more than'):
        array_files.read(tmp_path / 'a.npz', largest=1000)
    assert array_files.read(tmp_path / 'a.npz', ('two',), largest=1000)['one'].size == 0


def test_what_is_no_archive_is_one_line(tmp_path):
    (tmp_path / 'a.npz').write_bytes(b'nothing')
    with pytest.raises(ValueError, match='not a zip file'):
        array_files.read(tmp_path / 'a.npz')
