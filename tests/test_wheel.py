"""The wheel, installed outside the repository, converts, predicts and evaluates."""

import json
import os
import pathlib
import re
import shutil
import site
import subprocess
import sys
import venv
import zipfile

import numpy as np
import pytest
import torch

from converters import engine, tables

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONTENT = ('capf_jax', 'configs', 'converters', 'data_pipeline')
FILES = ('pyproject.toml', 'README.md', 'LICENSE', 'NOTICE', 'requirements.txt')
SMALL_DATA = (
    '--config.data.builder.train_size=2', '--config.data.builder.test_size=2',
    '--config.data.builder.height=32', '--config.data.builder.width=32',
)  # fmt: skip


class Installed:
    """A fresh environment with the wheel; other libraries are those of this environment."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        source = folder / 'source'
        for name in CONTENT:
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        for name in FILES:
            shutil.copy(ROOT / name, source / name)
        pip = [sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check']
        build = ['wheel', '--no-deps', '--no-build-isolation', '--no-index']
        subprocess.run([*pip, *build, f'--wheel-dir={folder}', source], check=True)
        (self.wheel,) = folder.glob('*.whl')
        self.bin = folder / 'environment' / 'bin'
        venv.create(self.bin.parent, with_pip=False)
        (packages,) = (self.bin.parent / 'lib').glob('python*/site-packages')
        (packages / 'libraries.pth').write_text('\n'.join(site.getsitepackages()))
        python = f'--python={self.bin / "python"}'
        install = ['install', '--no-deps', '--no-index', '--ignore-installed']
        subprocess.run([*pip, python, *install, self.wheel], check=True)
        self.configs = packages / 'configs'

    def run(self, script, *arguments):
        """Runs a program of the environment in a folder that is not the repository's."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
        done = subprocess.run(
            [self.bin / script, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**environment, 'JAX_PLATFORMS': 'cpu', 'JAX_ENABLE_COMPILATION_CACHE': 'false'},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp('wheel'))


@pytest.mark.parametrize('command', ['convert', 'export'])
def test_console_scripts_show_help_with_examples(installed, command):
    shown = installed.run(f'capf-jax-{command}', '--help')
    assert re.search(rf'^ +python -m [a-z_]+\.{command} \S', shown, re.MULTILINE)


def test_what_is_imported_is_the_wheel(installed):
    text = 'import capf_jax, configs, converters, data_pipeline; print(converters.__file__)'
    assert installed.run('python', '-c', text).startswith(str(installed.bin.parent))


def test_the_parts_of_a_page_are_in_the_wheel(installed):
    with zipfile.ZipFile(installed.wheel) as archive:
        parts = {name.rpartition('/')[2] for name in archive.namelist() if 'formats/page/' in name}
    assert {'page.html', 'page.css', 'page.js', 'three.bundle.js', 'LICENSE.three'} <= parts


def test_a_file_is_converted_and_predicts(installed, tmp_path):
    fields = {'frames': 3, 'layers': 1, 'channels': 8, 'num_joints': 17, 'mlp_ratio': 2}
    model = tables.Model('poseformer', 'poseformer', 'h36m17', fields)
    shapes = engine.torch_shapes(model.rules, model.expected())
    state = {key: torch.full(shape, 0.1) for key, shape in shapes.items()}
    torch.save({'model_pos': state}, tmp_path / 'poseformer.pth')
    target = tmp_path / 'poseformer.safetensors'
    assert 'is poseformer' in installed.run('capf-jax-convert', tmp_path / 'poseformer.pth', target)
    text = (
        'import sys, numpy as np\n'
        'from capf_jax import Estimator\n'
        'estimator = Estimator.load(sys.argv[1])\n'
        'print(estimator.lift_sequence(np.zeros((2, 3, 17, 2), np.float32)).shape)\n'
    )
    assert installed.run('python', '-c', text, target) == '(2, 17, 3)\n'


def test_predictions_of_another_program_are_evaluated(installed, tmp_path):
    config = (f'--config={installed.configs / "synthetic.py"}', *SMALL_DATA)
    data = f'--config.data.dir={tmp_path / "data"}'
    installed.run('capf-jax-build', *config, data)
    poses = np.zeros((2, 17, 3), np.float32)
    np.savez(tmp_path / 'poses.npz', poses=poses, unit='m', index=np.arange(2))
    shown = installed.run(
        'capf-jax-evaluate', *config, data, f'--predictions={tmp_path / "poses.npz"}'
    )
    assert 'MPJPE' in shown.upper()
    result = json.loads((tmp_path / 'poses_scored.json').read_text())
    assert result
