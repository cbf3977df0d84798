"""The pictures that come with the repository are what examples/README.md says."""

import pathlib

import numpy as np
from PIL import Image

from examples import render_two_people

EXAMPLES = pathlib.Path(render_two_people.__file__).parent


def test_the_command_renders_the_picture_of_two_people():
    with Image.open(EXAMPLES / 'two_people.jpg') as image:
        picture = np.asarray(image.convert('RGB'), float)
    difference = np.abs(picture - render_two_people.picture(supersample=1))
    assert difference.mean() < 3  # JPEG's own loss is 1.7


def test_every_picture_is_listed_with_its_size_and_is_small():
    listed = (EXAMPLES / 'README.md').read_text()
    pictures = sorted(EXAMPLES.glob('*.jpg'))
    assert pictures
    for path in pictures:
        with Image.open(path) as image:
            assert f'`{path.name}`' in listed
            assert f'{image.width}x{image.height} px' in listed
        assert path.stat().st_size < 200_000
