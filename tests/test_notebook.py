"""The notebook docs/predict.ipynb runs from its first cell to its last."""

import json
import pathlib
import sys

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'docs' / 'predict.ipynb'


def cells():
    notebook = json.loads(NOTEBOOK.read_text())
    return [''.join(cell['source']) for cell in notebook['cells'] if cell['cell_type'] == 'code']


def test_every_cell_of_the_notebook_runs(tmp_path, monkeypatch):
    for name in ('examples', 'pretrained'):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    names = {}
    for number, cell in enumerate(cells()):
        exec(compile(cell, f'{NOTEBOOK.name}, cell {number}', 'exec'), names)
    assert len(names['people']) >= 1
    with Image.open(tmp_path / 'predictions' / 'balancing.jpg') as picture:
        assert picture.width > 1000
    written = sorted(path.suffix for path in (tmp_path / 'predictions').iterdir())
    assert written == ['.csv', '.jpg', '.json', '.npz']


def test_the_notebook_is_stored_without_outputs():
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook['nbformat'] == 4
    assert not any(cell.get('outputs') for cell in notebook['cells'])
