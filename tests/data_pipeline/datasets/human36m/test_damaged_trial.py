"""S11's second 'Directions', of which one video is damaged, is in no published result."""

import shutil

import pytest

from data_pipeline.datasets.human36m import sources
from data_pipeline.datasets.human36m.settings import Settings
from tests.data_pipeline.datasets.human36m import raw_tree


@pytest.fixture
def names(monkeypatch):
    """The tiny tree with the real names of those files."""
    monkeypatch.setattr(raw_tree, 'SUBJECTS', ('S11',))
    monkeypatch.setattr(raw_tree, 'ACTIONS', ('Directions',))


@pytest.mark.usefixtures('names')
@pytest.mark.parametrize('kind', ['cdf', 'npz'])
def test_it_is_neither_asked_for_nor_missed(kind, tmp_path):
    raw_tree.write_labels(tmp_path, kind)
    detections = raw_tree.detections()
    del detections['S11']['Directions']  # as in VideoPose3D's own file
    raw_tree.write_detections(tmp_path, detections)
    for key in raw_tree.videos():
        for frame in range(raw_tree.LENGTHS[key.trial]):
            path = raw_tree.picture_path(tmp_path, key, frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    shutil.rmtree(tmp_path / 'images' / 's_11_act_02_subact_02_ca_01')
    settings = Settings(
        source=str(tmp_path), subjects=('S11',), actions=('Directions',), cameras=raw_tree.CAMERAS
    )
    contents = sources.read(settings)
    assert [key.video for key in contents.recordings] == [
        's_11_act_02_subact_01_ca_01',
        's_11_act_02_subact_01_ca_02',
    ]
    assert not contents.missing


def test_it_alone_is_left_out_of_the_whole():
    videos = {key.video for key in sources.videos_of(Settings())}
    assert len(videos) == 7 * 15 * 2 * 4 - 4
    assert not any(video.startswith('s_11_act_02_subact_02') for video in videos)
