"""The package lists its commands without importing JAX, and runs them."""

import subprocess
import sys

import pytest

from capf_jax import __main__ as listing


def test_every_command_is_listed_with_one_line(capsys):
    assert listing.main(['capf_jax']) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == list(listing.COMMANDS)
    assert all(len(line.split()) > 3 for line in lines)


def test_a_listing_imports_no_jax():
    program = (
        'import sys\nfrom capf_jax import __main__\n__main__.listing()\n'
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, '-c', program], check=True)


def test_a_command_is_run_with_its_arguments():
    command = [sys.executable, '-m', 'capf_jax', 'evaluate', '--help']
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert '--noise_sweep' in text
    assert 'python -m capf_jax.evaluate --workdir=runs/synthetic' in text


def test_an_unknown_command_names_the_nearest():
    with pytest.raises(ValueError, match="no command 'trian'; the nearest is 'train'"):
        listing.main(['capf_jax', 'trian'])
