"""PeopleFinder: people in pixels of the picture, whatever its size."""

import pathlib

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import people_finder
from capf_jax.inference.people_finder import PeopleFinder
from tests.goldens import movenet as recipe

FOLDER = pathlib.Path(__file__).parents[2] / 'pretrained'
WEIGHTS = FOLDER / 'movenet_multipose.safetensors'
FIGURES = [(60, 96, 160), (150, 100, 120)]  # x and y of the middle, height; pixels
needs_weights = pytest.mark.skipif(not WEIGHTS.is_file(), reason=f'there is no {WEIGHTS}')


@pytest.fixture(scope='module')
def finder():
    return PeopleFinder.load(WEIGHTS)


def figures(scale, shift=(0, 0)):
    return [(scale * x + shift[0], scale * y + shift[1], scale * h) for x, y, h in FIGURES]


def assert_shows(people, expected):
    """Every figure has one box that holds it, with few pixels around it."""
    assert len(people) == len(expected)
    for x, y, height in expected:
        middle = people.boxes[:, :2] + people.boxes[:, 2:] / 2
        nearest = np.argmin(np.linalg.norm(middle - (x, y), axis=-1))
        assert np.linalg.norm(middle[nearest] - (x, y)) < 0.15 * height
        assert 0.8 * height < people.boxes[nearest, 3] < 1.3 * height


@needs_weights
@pytest.mark.parametrize(('width', 'height', 'scale'), [(256, 192, 1), (512, 384, 2)])
def test_people_are_in_pixels_of_the_picture(finder, width, height, scale):
    picture = recipe.picture(height, width, figures(scale))
    people = finder.find(picture)
    assert_shows(people, figures(scale))
    assert people.joints2d.shape == (2, 17, 2)
    assert people.confidence.shape == (2, 17)
    assert (np.diff(people.scores) <= 0).all()
    nose, ankle = finder.skeleton.index('nose'), finder.skeleton.index('left_ankle')
    assert (people.joints2d[:, nose, 1] < people.joints2d[:, ankle, 1]).all()


@needs_weights
def test_a_picture_higher_than_wide_is_padded(finder):
    picture = recipe.picture(300, 190, figures(1.2, (0, 40))[:1])
    assert_shows(finder.find(picture), figures(1.2, (0, 40))[:1])


@needs_weights
@pytest.mark.parametrize('shape', [(1, 1), (1, 3), (2, 500), (500, 2)])
def test_tiny_and_narrow_pictures_show_nobody(finder, shape):
    people = finder.find(np.zeros((*shape, 3), np.uint8))
    assert people.boxes.shape == (0, 4)
    assert people.joints2d.shape == (0, 17, 2)


@needs_weights
def test_a_batch_of_pictures_gives_what_each_gives_alone(finder):
    pictures = [
        recipe.picture(192, 256, figures(1)),
        np.zeros((192, 256, 3), np.uint8),
        recipe.picture(192, 256, figures(1, (8, 4))[:1]),
    ]
    for people, picture in zip(finder.find_all(pictures), pictures, strict=True):
        alone = finder.find(picture)
        assert len(people) == len(alone)
        for field in ('boxes', 'scores', 'joints2d', 'confidence'):
            np.testing.assert_allclose(getattr(people, field), getattr(alone, field), atol=0.01)


@needs_weights
def test_pictures_of_several_sizes_are_no_batch(finder):
    with pytest.raises(UserError, match='pictures of 2 sizes'):
        finder.find_all([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)])


@needs_weights
def test_no_more_people_are_found_than_it_says(finder):
    random = np.random.default_rng(0).integers(0, 256, (192, 256, 3), np.uint8)
    assert len(finder.find(random, least_score=-1)) <= finder.most_people == 6


@needs_weights
def test_a_higher_least_score_leaves_people_out(finder):
    picture = recipe.multipose_picture()
    everyone = finder.find(picture, least_score=0.0)
    few = finder.find(picture, least_score=float(everyone.scores[1]))
    assert len(few) == 2
    np.testing.assert_array_equal(few.boxes, everyone.boxes[:2])


@needs_weights
@pytest.mark.parametrize(
    ('image', 'arguments', 'message'),
    [
        (np.zeros((8, 8, 3)), {}, r'float64 \[8, 8, 3\]; it must be RGB'),
        (np.zeros((8, 8), np.uint8), {}, r'uint8 \[8, 8\]; it must be RGB'),
        (np.zeros((0, 8, 3), np.uint8), {}, r'uint8 \[0, 8, 3\]; it must be RGB'),
        (np.zeros((8, 8, 3), np.uint8), {'longer_side': 300}, 'longer_side is 300'),
    ],
)
def test_what_is_no_picture_is_said(finder, image, arguments, message):
    with pytest.raises(UserError, match=message):
        finder.find(image, **arguments)


def test_a_file_of_another_network_is_named():
    with pytest.raises(UserError, match='finds no people in whole pictures'):
        PeopleFinder.load(FOLDER / 'synthetic_detector.safetensors')


@pytest.mark.parametrize(
    ('shape', 'size'),
    [
        ((480, 640), (192, 256)),
        ((640, 480), (256, 192)),
        ((1, 1), (256, 256)),
        ((50, 20), (256, 128)),
    ],
)
def test_sides_are_multiples_of_32_and_the_longer_is_as_asked(shape, size):
    padded, _ = people_finder.shrunken(np.full((*shape, 3), 255, np.uint8), 256)
    assert padded.shape == (*size, 3)
