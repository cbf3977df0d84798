"""Clutter covers walls and floors, hides parts of people, and cameras spoil pictures."""

import numpy as np

from data_pipeline.datasets.synthetic import clutter

IMAGE = np.full((64, 48, 3), 90, np.uint8)


def test_texture_depends_on_its_seed_alone():
    first = clutter.texture(3).copy()
    clutter.texture.cache_clear()
    np.testing.assert_array_equal(clutter.texture(3), first)
    assert np.abs(clutter.texture(4) - first).max() > 0.1


def test_textures_are_colours_and_leave_some_surfaces_bare():
    some = [clutter.texture(seed) for seed in range(20)]
    for texture in some:
        assert texture.min() >= 0
        assert texture.max() <= 1
    covered = np.array([(texture[..., 3] > 0).mean() for texture in some])
    assert covered.min() < 0.9
    assert covered.max() == 1


def test_bare_parts_keep_their_colour():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-5, 5, (2, 4000))
    bare = np.full((4000, 3), 0.123, np.float32)
    shown = clutter.cover(2, bare, x, y)
    kept = (shown == bare).all(-1)
    assert 0.05 < kept.mean() < 1


def test_few_people_are_hidden_in_part():
    rng = np.random.default_rng(0)
    changed = [(clutter.occlude(rng, IMAGE) != IMAGE).any(-1).mean() for _ in range(400)]
    assert 0.05 < np.mean(np.array(changed) > 0) < 0.2
    assert max(changed) < 0.8


def test_spoilt_pictures_keep_their_size_and_differ():
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 255, IMAGE.shape).astype(np.uint8)
    spoilt = [clutter.degrade(rng, sharp) for _ in range(40)]
    assert all(image.shape == sharp.shape and image.dtype == np.uint8 for image in spoilt)
    # A picture of a small person has lost its finest detail.
    detail = np.array([np.abs(np.diff(image.astype(float), axis=1)).mean() for image in spoilt])
    assert detail.min() < 0.4 * detail.max()
