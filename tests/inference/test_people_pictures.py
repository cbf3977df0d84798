"""The picture of people: poses upright as the photograph, whatever their axes are."""

import numpy as np
import pytest
from PIL import Image

from capf_jax.inference import people_pictures
from tests.inference.people_samples import people

IMAGE = np.full((480, 640, 3), 90, np.uint8)


def views(people):
    """All strokes of all 3D views."""
    figure = people_pictures.figure_of(IMAGE, people)
    return [
        np.concatenate(collection.get_segments())
        for axes in figure.axes[1:]
        for collection in axes.collections
    ]


@pytest.mark.parametrize('axes', ['y_up', 'z_up'])
def test_other_axes_draw_the_same_picture(axes):
    two = people(2)
    for before, after in zip(views(two), views(two.along(axes)), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-9)


def test_people_without_a_pose_have_no_views():
    two = people(2, valid=np.array([True, False]), root=[[0, 0, 3], [np.nan] * 3])
    assert len(people_pictures.figure_of(IMAGE, two).axes) == 1 + 2


@pytest.mark.parametrize(
    ('is_assumed', 'words'),
    [(True, 'calibration.toml, so that distances are a guess.'), (False, 'calibration.toml. ')],
)
def test_a_guess_is_said_to_be_one(is_assumed, words):
    figure = people_pictures.figure_of(IMAGE, people(1, camera_assumed=is_assumed))
    assert words in ' '.join(figure.texts[-1].get_text().split('\n'))


def test_the_picture_is_written(tmp_path):
    path = people_pictures.write(tmp_path / 'new' / 'people.jpg', IMAGE, people(2))
    with Image.open(path) as image:
        assert image.format == 'JPEG'
