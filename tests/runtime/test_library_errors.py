"""What libraries and the machine throw is one sentence; what nobody foresaw asks for a report."""

import errno
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest
import safetensors.numpy

from capf_jax.errors import UserError, printable
from capf_jax.runtime import commands, library_errors


def error_of(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError('nothing is raised')


def raise_os(number, name=None):
    def call():
        raise OSError(number, os.strerror(number), name)

    return call


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        (raise_os(errno.ENOSPC, 'x.npz'), 'x.npz: No space left on device; make room'),
        (raise_os(errno.EROFS, 'x'), 'x: Read-only file system; name another folder'),
        (lambda: os.mkdir('/proc/foo'), '/proc/foo: No such file or directory; correct the path'),
        (lambda: os.mkdir('/tmp/' + 300 * 'n'), 'File name too long; give a shorter name'),
        (lambda: open('/proc'), '/proc: Is a directory; a file is needed there'),  # noqa: SIM115
        (raise_os(errno.ELOOP, 'x'), 'the links lead in a circle'),
        (lambda: json.loads('['), 'does not read as JSON'),
        (lambda: np.ones((1 << 50,)), 'too little memory'),
        (lambda: jnp.ones((1 << 50,)), 'too little memory'),
        (lambda: safetensors.numpy.load(b'12345678901'), '.safetensors file is damaged'),
        (lambda: PIL.Image.open(os.devnull), 'a picture cannot be opened'),
    ],
)
def test_a_librarys_error_is_one_sentence(call, words):
    error = error_of(call)
    assert commands.is_expected(error)
    assert words in commands.sentence(error)
    assert '\n' not in commands.sentence(error)


def test_a_store_out_of_reach_is_one_sentence():
    """gcsfs raises errors of aiohttp, some of which are errors of the system as well."""

    class ClientOSError(OSError):
        __module__ = 'aiohttp.client_exceptions'

    ClientOSError.__name__ = 'ClientError'
    error = ClientOSError(errno.ECONNREFUSED, 'Connection refused')
    error.filename = 'gs://bucket/run'
    assert commands.is_expected(error)
    sentence = commands.sentence(error)
    assert sentence.startswith('gs://bucket/run cannot be reached (ClientError: [Errno 111] Conn')


@pytest.mark.parametrize(
    'call',
    [
        lambda: {}['absent'],
        lambda: np.ones(3) @ np.ones(4),
        lambda: jnp.ones(3) @ jnp.ones(4),
        lambda: jax.jit(lambda x: x.reshape(5))(jnp.ones(3)),
        lambda: None.shape,
    ],
)
def test_a_fault_of_ours_is_not_taken_for_the_users(call):
    error = error_of(call)
    assert not commands.is_expected(error)
    assert not library_errors.sentence(error)


def test_an_unexpected_error_asks_for_a_report():
    with pytest.raises(KeyError) as caught:
        commands.run(lambda argv: {}['absent'])
    assert 'please report it' in caught.value.__notes__[0]


@pytest.mark.parametrize('platform', ['cuda', 'tpu', 'gpu', 'nonsense'])
def test_a_device_that_is_not_there_is_one_sentence(platform):
    program = (
        'import jax, sys\nfrom capf_jax.runtime import commands\n'
        'commands.run(lambda argv: print(jax.numpy.ones(3)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, 'JAX_PLATFORMS': platform},
        capture_output=True,
        text=True,
    )
    last = done.stderr.splitlines()[-1]
    if platform in ('cuda', 'gpu') and done.returncode == 0:
        pytest.skip('this machine has such a device')
    assert done.returncode == 2
    assert last.startswith('error: JAX finds no device of the environment variable JAX_PLATFORMS=')
    assert 'Traceback' not in done.stderr


def test_control_characters_of_a_message_are_shown_and_not_obeyed():
    error = UserError('no joint \x1b[31mred\x07 of \x9bx and \udcff')
    assert commands.sentence(error) == r'no joint \x1b[31mred\x07 of \x9bx and \udcff'
    assert printable('one\ntwo\tthree é') == r'one\ntwo\tthree é'
