import errno
import json
import os
import pathlib
import signal
import sys

import pytest

from capf_jax.runtime import commands, configuration

BASE = f'--config={pathlib.Path(__file__).parents[2] / "configs" / "base.py"}'


@pytest.fixture(autouse=True)
def handler():
    """Puts the handler of SIGTERM back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def result_of(main, capsys):
    """Exit code and stderr of a command."""
    with pytest.raises(SystemExit) as stopped:
        commands.run(main)
    return stopped.value.code, capsys.readouterr().err


def test_only_our_own_sentences_are_expected_errors():
    with pytest.raises(ValueError, match='is missing') as ours:
        configuration.parse(['train', BASE])
    with pytest.raises(ValueError, match='Expecting value') as librarys:
        json.loads('')
    assert commands.is_expected(ours.value)
    assert not commands.is_expected(librarys.value)


def test_an_error_is_one_sentence_and_code_2(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['train', BASE, '--config.training.epoch=3', '--workdir=w'])
    code, error = result_of(lambda argv: configuration.parse(argv) and 0, capsys)
    assert code == 2
    assert error.startswith("error: no config field 'training.epoch'")
    assert error.count('\n') == 1


def test_a_full_disk_met_by_a_library_is_one_sentence_that_names_the_file(capsys):
    def fill(argv):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'runs/log.jsonl')

    code, error = result_of(fill, capsys)
    assert code == 2
    assert error.startswith('error: runs/log.jsonl: No space left on device; ')
    assert error.count('\n') == 1


def test_a_full_disk_without_a_file_still_says_what_to_do(capsys):
    def fill(argv):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    _, error = result_of(fill, capsys)
    assert error == 'error: No space left on device; make room there, or name another folder\n'


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path, capsys):
    (tmp_path / 'file').touch()
    code, error = result_of(lambda argv: os.makedirs(tmp_path / 'file' / 'run'), capsys)
    assert code == 2
    assert error.endswith(': Not a directory; name another folder\n')


@pytest.fixture
def signals():
    """Ctrl-C as in a terminal, also where the tests run in the background of a shell."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures('signals')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_unwinds_and_is_one_sentence(number, capsys):
    cleaned = []

    def main(argv):
        try:
            signal.raise_signal(number)
        finally:
            cleaned.append(True)

    code, error = result_of(main, capsys)
    assert code == 128 + number
    assert cleaned
    assert error.strip().startswith('stopped: ')
    assert error.strip().count('\n') == 0
