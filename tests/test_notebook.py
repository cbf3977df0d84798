"""The notebook runs from its first cell to its last, and docs/predict.md tells the numbers of it.

Both predict the same picture by the default weights: the networks are compiled once for all tests.
"""

import json
import pathlib
import re
import sys

import numpy as np
import pytest
from PIL import Image

from capf_jax import predict
from capf_jax.inference import people_files
from capf_jax.pose import skeletons

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'docs' / 'predict.ipynb'
PAGE = ROOT / 'docs' / 'predict.md'
# Metres. The page tells centimetres, which rounds by half of one; another processor or another
# decoder of JPEG files may move a joint by some millimetres.
TOLERANCE = 0.01


def cells():
    notebook = json.loads(NOTEBOOK.read_text())
    return [''.join(cell['source']) for cell in notebook['cells'] if cell['cell_type'] == 'code']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder that looks like a clone of the repository."""
    folder = tmp_path_factory.mktemp('clone')
    for name in ('examples', 'pretrained'):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope='module')
def names(folder):
    """The names that the notebook's cells have set when all of them have run in the folder."""
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, 'path', list(sys.path))
        for number, cell in enumerate(cells()):
            exec(compile(cell, f'{NOTEBOOK.name}, cell {number}', 'exec'), names)
    return names


def test_every_cell_of_the_notebook_runs_and_writes_its_files(names, folder):
    assert len(names['people']) == 1
    with Image.open(folder / 'predictions' / 'balancing.jpg') as picture:
        assert picture.width > 1000
    written = sorted(path.suffix for path in (folder / 'predictions').iterdir())
    assert written == ['.csv', '.jpg', '.json', '.npz']


def test_the_command_of_the_page_prints_and_finds_what_the_page_says(
    names, folder, monkeypatch, capsys
):
    del names  # The notebook has compiled what the command runs.
    page = PAGE.read_text()
    command, printed = re.search(
        r'python -m capf_jax\.(predict examples/balancing\.jpg)\n```\n.*?```text\n(.*?)```',
        page,
        re.DOTALL,
    ).groups()
    monkeypatch.chdir(folder)
    output = folder / 'predictions_of_the_command'
    assert predict.main([*command.split(), '--nopicture', f'--output={output}']) == 0
    assert capsys.readouterr().out.replace(str(output), 'predictions') == printed
    people = people_files.read(output / 'balancing.json')
    (pose,), skeleton = people.pose, skeletons.get(people.skeleton)
    rows = re.findall(r'^\| `(\w+)` to `(\w+)` \| (\d\.\d\d) \|', page, re.MULTILINE)
    told = np.array([float(length) for *_, length in rows])
    ends = np.array([[skeleton.index(name) for name in pair] for *pair, _ in rows])
    lengths = np.linalg.norm(pose[ends[:, 0]] - pose[ends[:, 1]], axis=-1)
    assert len(rows) == 4
    np.testing.assert_allclose(lengths, told, rtol=0, atol=TOLERANCE)


def test_the_notebook_is_stored_without_outputs():
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook['nbformat'] == 4
    assert not any(cell.get('outputs') for cell in notebook['cells'])
