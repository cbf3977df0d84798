"""Files of predictions of every kind are scored, or refused in one sentence before memory goes."""

import io
import zipfile

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.scoring import prediction_files


def npy(header, content=b''):
    """An array file whose header says anything."""
    text = str(header).encode()
    text += b' ' * (-(len(text) + 11) % 64) + b'\n'
    return b'\x93NUMPY\x01\x00' + len(text).to_bytes(2, 'little') + text + content


def archive(compression=zipfile.ZIP_STORED, **members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', compression) as file:
        for name, content in members.items():
            file.writestr(f'{name}.npy', content)
    return stream.getvalue()


def saved(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def claims(shape, kind='<f4'):
    return npy({'descr': kind, 'fortran_order': False, 'shape': shape}, bytes(64))


GOOD = {'poses': np.zeros((3, 17, 3)), 'unit': 'mm', 'index': np.arange(3)}
WHOLE = saved(**GOOD)
CASES = {
    'empty': b'',
    'text': b'poses',
    'zeros': bytes(1000),
    'cut': WHOLE[: len(WHOLE) // 2],
    'no archive but an array': npy({'descr': '<f4', 'fortran_order': False, 'shape': (0,)}),
    'claims terabytes': archive(poses=claims((1_000_000, 17, 300_000))),
    'claims negative sizes': archive(poses=claims((-1, 17, 3))),
    'claims more than it holds': archive(poses=claims((10_000_000, 17, 3))),
    'claims an unknown type': archive(poses=claims((1, 17, 3), '<q9')),
    'claims a field of objects': archive(poses=claims((8,), '|O')),
    'a header that is no dict': archive(poses=npy('[' * 900)),
    'unpacks to gigabytes': archive(
        zipfile.ZIP_DEFLATED, **dict.fromkeys('ab', b''), poses=bytes(2_100_000)
    ).replace(b'\x20\x0b\x20\x00', b'\xff\xff\xff\x7f'),
    'no poses': saved(unit='m', index=np.arange(3)),
    'infinite poses': saved(**{**GOOD, 'poses': np.full((3, 17, 3), np.inf)}),
    'complex poses': saved(**{**GOOD, 'poses': np.zeros((3, 17, 3), complex)}),
    'poses of truth values': saved(**{**GOOD, 'poses': np.zeros((3, 17, 3), bool)}),
    'an unknown unit': saved(**{**GOOD, 'unit': 'cm'}),
    'an index of floats': saved(**{**GOOD, 'index': np.arange(3.0)}),
    'an index in two dimensions': saved(**{**GOOD, 'index': np.zeros((3, 1), int)}),
}


@pytest.mark.parametrize('content', CASES.values(), ids=CASES)
def test_a_file_that_is_not_of_the_format_is_one_sentence(content, tmp_path):
    path = tmp_path / 'poses.npz'
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'poses\.npz') as caught:
        prediction_files.load(path, skeletons.get('h36m17'))
    assert '\n' not in str(caught.value)


def test_arrays_that_the_format_does_not_have_are_not_read(tmp_path):
    path = tmp_path / 'poses.npz'
    stream = io.BytesIO(WHOLE)
    with zipfile.ZipFile(stream, 'a') as file:
        file.writestr('attention.npy', claims((1_000_000, 17, 300_000)))
    path.write_bytes(stream.getvalue())
    assert len(prediction_files.load(path, skeletons.get('h36m17')).poses) == 3
