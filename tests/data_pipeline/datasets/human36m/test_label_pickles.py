"""Pixels of the authors' label files, whatever height they were normalised by."""

import re

import numpy as np
import pytest

from data_pipeline.datasets.human36m import label_pickles
from data_pipeline.datasets.human36m.recordings import JOINTS
from data_pipeline.datasets.human36m.settings import Settings
from data_pipeline.published_cameras import human36m
from tests.data_pipeline.datasets.human36m import raw_tree

KEY = raw_tree.videos()[1]


@pytest.mark.parametrize('lens', [True, False])
@pytest.mark.parametrize('height', [1000, 1002])
def test_the_height_is_found_out(tmp_path, height, lens):
    joints = raw_tree.truth(KEY).camera[:, JOINTS]
    pixels = human36m(KEY.subject, KEY.camera).project(joints, distortion=lens)
    entries = list(raw_tree.entries(KEY))
    for entry, truth in zip(entries, pixels, strict=True):
        entry['joints_2d_gt'] = truth / 500 - [1, height / 1000]
    raw_tree.write_pickles(tmp_path, train=entries)
    labelled, problems = label_pickles.read(tmp_path / 'h36m_train.pkl', Settings())
    assert not problems
    np.testing.assert_allclose(labelled[KEY].truth, pixels, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'action': 1}, 'action 1 and camera 0 in entry 0; actions are 2-16'),
        ({'camera_id': 4}, 'camera 4'),
        ({'subject': 'Anna'}, "subject 'Anna'"),
    ],
)
def test_unknown_numbers_are_named(tmp_path, change, sentence):
    entries = list(raw_tree.entries(raw_tree.videos()[0]))
    entries[0] |= change
    raw_tree.write_pickles(tmp_path, train=entries)
    with pytest.raises(ValueError, match=sentence):
        label_pickles.read(tmp_path / 'h36m_train.pkl', Settings())


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'image_id': 2}, 'has picture 2 of .* more than once'),
        ({'image': 'other_000001.jpg'}, r'has the picture other_000001\.jpg where s_01'),
        ({'joints_3d': np.zeros((16, 3))}, 'inhomogeneous'),
    ],
)
def test_entries_that_do_not_fit_are_named(tmp_path, change, sentence):
    entries = list(raw_tree.entries(KEY))
    entries[0] |= change
    raw_tree.write_pickles(tmp_path, train=entries)
    _, problems = label_pickles.read(tmp_path / 'h36m_train.pkl', Settings())
    (problem,) = problems
    assert re.search(sentence, problem)
