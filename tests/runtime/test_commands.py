"""Commands read their arguments, print help, and end with the right exit code."""

import errno
import json
import os
import pathlib
import re
import signal
import sys
import tomllib

import pytest

from capf_jax.errors import UserError
from capf_jax.runtime import commands, configuration

ROOT = pathlib.Path(__file__).parents[2]
BASE = f'--config={ROOT / "configs" / "base.py"}'


@pytest.fixture(autouse=True)
def handler():
    """Puts the handlers of signals back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, function in before.items():
        signal.signal(number, function)


def result_of(main, capsys):
    """Exit code and stderr of a command."""
    with pytest.raises(SystemExit) as stopped:
        commands.run(main)
    return stopped.value.code, capsys.readouterr().err


def test_our_own_sentences_and_known_libraries_are_expected_errors():
    with pytest.raises(ValueError, match='is missing') as ours:
        configuration.parse(['train', BASE])
    with pytest.raises(ValueError, match='Expecting value') as librarys:
        json.loads('')
    assert commands.is_expected(ours.value)
    assert commands.is_expected(librarys.value)
    assert not commands.is_expected(ValueError('shapes (3,) and (4,) do not fit'))


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


def parser():
    house_parser = commands.Parser(
        'house.paint', 'Paints a house.\n\n    python -m house.paint red\n'
    )
    house_parser.add_argument('colour', help='of the walls')
    house_parser.add_argument('--rooms', type=int, default=3, help='how many to paint')
    house_parser.add_argument('--keys', type=commands.path, help='where they are')
    house_parser.add_flag('roof', default=False, help='paint the roof too')
    house_parser.add_flag('doors', default=True, help='paint the doors')
    house_parser.add_flag('lock', default=None, help='lock the house')
    return house_parser


def parse(*arguments):
    return vars(parser().parse(['paint', *arguments]))


def test_arguments_are_read_with_and_without_an_equals_sign():
    expected = {'colour': 'red', 'rooms': 4, 'roof': True, 'keys': None}
    expected |= {'doors': True, 'lock': None}
    assert parse('red', '--rooms=4', '--roof') == expected
    assert parse('--rooms', '4', '--roof', 'red') == expected


def test_a_flag_is_switched_off_by_its_negation():
    assert parse('red', '--roof', '--noroof')['roof'] is False


def test_help_shows_the_side_of_a_flag_that_changes_something(capsys):
    with pytest.raises(SystemExit):
        parse('--help')
    shown = capsys.readouterr().out
    assert re.findall(r'^  (--\S+)  +(.*)', shown, re.MULTILINE)[-4:] == [
        ('--roof', 'paint the roof too'),
        ('--nodoors', 'do not paint the doors'),
        ('--lock', 'lock the house'),
        ('--nolock', 'do not lock the house'),
    ]


def test_help_prints_the_docstring_with_its_examples_and_every_argument(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse('--help')
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for text in (
        'Paints a house.\n\n    python -m house.paint red\n',
        'of the walls',
        'how many to paint',
        'paint the roof too',
    ):
        assert text in shown


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ((), 'required: colour; --help shows how python -m house.paint is used'),
        (('red', '--rooms=many'), "argument --rooms: invalid int value: 'many'"),
        (('red', '--room=4'), "unknown argument '--room=4'; the nearest is --rooms, and --help"),
        (('red', '--roo'), "unknown argument '--roo'; the nearest is --roof"),
        (('red', '--keys=~nobody_here/x'), 'argument --keys: ~nobody_here in ~nobody_here/x is'),
    ],
    ids=['missing', 'type', 'unknown', 'abbreviated', 'path'],
)
def test_what_a_user_gets_wrong_is_one_sentence(arguments, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        parse(*arguments)


def test_an_error_without_a_sentence_keeps_its_traceback():
    with pytest.raises(KeyError):
        commands.run(lambda argv: {}['absent'])


def test_the_package_installs_a_console_script_for_every_command():
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    scripts = dict.fromkeys(commands.COMMANDS, f'{commands.__name__}:console')
    scripts = {f'{commands.SCRIPT}{name}': target for name, target in scripts.items()}
    installed = dict(project['scripts'])
    assert installed.pop('capf-jax') == 'capf_jax.__main__:console'
    assert installed == scripts


def test_a_console_script_runs_the_command_it_is_named_after(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['/bin/capf-jax-convert', 'absent.pth'])
    with pytest.raises(SystemExit) as stopped:
        commands.console()
    assert stopped.value.code == 2
    assert 'required: target' in capsys.readouterr().err
