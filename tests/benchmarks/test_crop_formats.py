"""The table of formats of crops: lossless changes nothing, half the colours more than all."""

import cv2
import numpy as np
import pytest

from benchmarks import crop_formats


class Pixels:
    """Stands for an Estimator whose only map is the crop itself."""

    detector = None

    def feature_maps(self, crops):
        return (crops.astype(np.float32),)


@pytest.fixture
def crops():
    noise = np.random.default_rng(0).integers(0, 256, (2, 32, 24, 3), np.uint8)
    return [cv2.GaussianBlur(one, (0, 0), 1) for one in noise]


def test_every_format_has_a_row_of_its_change(crops):
    rows = crop_formats.compare(Pixels(), crops)
    change = {name: float(percent) for name, _, percent in rows}
    assert list(change) == list(crop_formats.FORMATS)
    assert change['PNG'] == 0
    assert (
        0
        < change['JPEG 4:4:4, quality 100']
        < change['JPEG 4:4:4, quality 95 (default)']
        < change['JPEG 4:2:0, quality 95']
    )


def test_the_middle_of_a_picture_has_the_shape_of_a_crop(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((50, 90, 3), np.uint8))
    (crop,) = crop_formats.middles(tmp_path, 5, height=32, width=24)
    assert crop.shape == (32, 24, 3)


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(ValueError, match='has no pictures'):
        next(crop_formats.middles(tmp_path, 5, 32, 24))
