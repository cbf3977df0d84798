"""Sources: what a user may write, and what is said where it is nothing."""

import numpy as np
import pytest
from PIL import Image

from capf_jax.errors import UserError
from capf_jax.inference import sources


def save(path, size=(40, 30), **arguments):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, (200, 100, 50)).save(path, **arguments)
    return path


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.jpg', 'C.JPG', '.hidden.png'):
        save(tmp_path / name)
    (tmp_path / 'notes.txt').write_text('no picture')
    return tmp_path


def names(pictures):
    return [path.name for path in pictures.paths]


def test_a_folder_is_its_pictures(folder):
    pictures = sources.find(folder)
    assert names(pictures) == ['C.JPG', 'a.jpg', 'b.png']
    assert not pictures.single


def test_a_pattern_is_its_pictures(folder):
    assert names(sources.find(str(folder / '*.png'))) == ['b.png']
    assert names(sources.find(f'{folder}/**/*.jpg')) == ['a.jpg']


def test_a_list_is_each_picture_once(folder):
    pictures = sources.find([folder / 'b.png', folder / 'b.png', folder])
    assert names(pictures) == ['b.png', 'C.JPG', 'a.jpg']


def test_one_picture_is_single(folder):
    assert sources.find(folder / 'a.jpg').single


def test_results_keep_the_names_of_pictures(folder):
    assert sources.find(folder).names() == ('C', 'a', 'b')


def test_equal_names_are_told_apart(tmp_path):
    save(tmp_path / 'a.png')
    save(tmp_path / 'a.jpg')
    assert sources.find(tmp_path).names() == ('a.jpg', 'a.png')
    save(tmp_path / 'sub' / 'b.png')
    save(tmp_path / 'other' / 'b.png')
    assert sources.find(f'{tmp_path}/**/b.png').names() == ('other/b', 'sub/b')


def test_a_picture_is_upright_rgb(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = sources.read(save(tmp_path / 'a.jpg', exif=exif, quality=100))
    assert picture.size == (30, 40)
    np.testing.assert_allclose(picture.pixels[20, 15], [200, 100, 50], atol=4)


@pytest.mark.parametrize('ending', ['png', 'webp', 'gif', 'tiff', 'bmp'])
def test_what_pillow_opens_is_read(tmp_path, ending):
    assert sources.read(save(tmp_path / f'a.{ending}')).size == (40, 30)


def test_pictures_of_other_modes_are_read(tmp_path):
    for mode in ('L', 'P', 'RGBA', '1', 'I;16'):
        path = tmp_path / f'{mode[0]}.png'
        Image.new(mode, (40, 30)).save(path)
        assert sources.read(path).pixels.shape == (30, 40, 3)


def test_what_is_no_picture_is_refused(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_text('hello')
    with pytest.raises(UserError, match=r'a\.jpg is no picture that can be read'):
        sources.read(path)
    whole = save(tmp_path / 'b.jpg', (400, 300)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match='cut short'):
        sources.read(path)


def test_a_picture_of_one_pixel_is_refused(tmp_path):
    with pytest.raises(UserError, match='1x1 px, too few to show anyone'):
        sources.read(save(tmp_path / 'a.png', (1, 1)))


@pytest.mark.parametrize(
    'pixels', [np.zeros((50, 50, 3)), np.zeros((50, 50), np.uint8), np.zeros((1, 1, 3), np.uint8)]
)
def test_arrays_that_are_no_picture_are_refused(pixels):
    with pytest.raises(UserError, match='picture'):
        sources.of_array(pixels)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no picture, video or folder'):
        sources.find(tmp_path / 'a.jpg')
    with pytest.raises(FileNotFoundError, match='correct the pattern'):
        sources.find(str(tmp_path / '*.jpg'))
    with pytest.raises(UserError, match='holds no picture'):
        sources.find(tmp_path)
    with pytest.raises(UserError, match='list of pictures is empty'):
        sources.find([])


@pytest.mark.parametrize('source', ['camera:0', ['camera:0']])
def test_a_camera_is_told_to_be_a_stream(source):
    with pytest.raises(UserError, match=r"in Python stream\('camera:0'\) gives its people"):
        sources.find(source)


def test_videos_are_told_from_pictures(tmp_path):
    for name in ('a.mp4', 'b.jpg', 'c.MOV', 'd.txt'):
        (tmp_path / name).write_bytes(b'')
    assert sources.find(tmp_path / 'a.mp4').single
    pictures, videos = sources.find(tmp_path).split()
    assert names(pictures) == ['b.jpg']
    assert names(videos) == ['a.mp4', 'c.MOV']


def test_sound_is_no_picture_and_stays_out_of_folders(tmp_path):
    for name in ('song.mp3', 'b.jpg', 'c.3gp'):
        (tmp_path / name).write_bytes(b'')
    assert names(sources.find(tmp_path)) == ['b.jpg', 'c.3gp']
    pictures, videos = sources.find(tmp_path / 'song.mp3').split()
    assert (names(pictures), names(videos)) == ([], ['song.mp3'])


def test_a_file_of_another_ending_is_told_how_videos_are_known(tmp_path):
    path = tmp_path / 'a.clip'
    path.write_bytes(b'video')
    with pytest.raises(UserError, match=r'a video needs the ending of one, such as \.mp4'):
        sources.read(path)
