"""Videos that are none or end early, files of tracks that are none, and names of formats."""

import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference import tracks_files
from capf_jax.inference.video import track_parts
from capf_jax.inference.video.video_prediction import PARTS
from tests.breaking import runner
from tests.breaking.runner import EITHER, REFUSED, WORKS, Case, FalseEndError
from tests.breaking.world import World
from tests.inference import tracks_samples
from tests.inference.video import video_samples

FRAMES = 4
SHADES = np.random.default_rng(0).integers(0, 256, (FRAMES, 96, 128, 3), np.uint8)
PICTURE = 'docs/predict.jpg'
NO_FORMATS = (
    'trcc', 'trc,bvhh', 'obj', '../trc', 'trc;bvh', '"trc"', '\x1b[31mtrc', 'n' * 10_000, 'trc.',
    '3',
)  # fmt: skip
NO_VIDEOS = {
    'empty': b'', 'zeros': bytes(5000), 'text': b'hello\n', 'html': b'<!DOCTYPE html>',
    'random': np.random.default_rng(0).bytes(5000), 'matroska': b'\x1aE\xdf\xa3',
    'a head alone': b'\0\0\0\x18ftypmp42' + bytes(12),
    'a box of 2^63 bytes': b'\0\0\0\x01ftyp\x7f' + b'\xff' * 7 + b'mp42',
    'a list of files': b'ffconcat version 1.0\nfile /etc/passwd\n',
    'a playlist': b'#EXTM3U\n/etc/passwd\n',
}  # fmt: skip
NEEDED = ('format', 'version', 'ids', 'joints3d', 'times', 'skeleton', 'image_size', 'fps')
# Name -> what a file of tracks says in place of the truth.
LIES: dict[str, dict[str, Any]] = {
    'another format': {'format': 'tracks'},
    'a newer version': {'version': 2},
    'a version of text': {'version': 'x'},
    'an unknown skeleton': {'skeleton': 'h36m18'},
    'a skeleton of control characters': {'skeleton': '\x1b[31m'},
    'other joints': {'joint_names': np.array(['nose'])},
    'millimetres': {'unit': 'mm'},
    'unknown axes': {'axes': 'x_up'},
    'fewer people': {'ids': np.arange(1)},
    'people twice': {'ids': np.array([3, 3])},
    'ids of text': {'ids': np.array(['a', 'b'])},
    'a pickle': {'ids': np.array([object()])},
    'poses of two numbers': {'joints3d': np.zeros((2, 20, 17, 2))},
    'complex poses': {'joints3d': np.zeros((2, 20, 17, 3), complex)},
    'poses of text': {'joints3d': np.full((2, 20, 17, 3), 'x')},
    'times that are no numbers': {'times': np.full(20, np.nan)},
    'times that go back': {'times': np.arange(20.0)[::-1]},
    'no times': {'times': np.zeros(0)},
    'no frames a second': {'fps': 0.0},
    'NaN frames a second': {'fps': np.nan},
    'fps of text': {'fps': 'x'},
    'three intrinsics': {'intrinsics': np.ones(3)},
    'infinite intrinsics': {'intrinsics': np.full(4, np.inf)},
    'seven numbers of distortion': {'distortion': np.zeros(7)},
    'an image of no size': {'image_size': np.zeros(2, int)},
    'an image of three sides': {'image_size': np.ones(3, int)},
    'validity of text': {'valid': np.full((2, 20), 'yes')},
}


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    for name, content in NO_VIDEOS.items():
        yield _case(world, f'a video is {name}', _file('clip.mp4', content))
    picture = _file('clip.mp4', pathlib.Path(PICTURE).read_bytes())
    yield _case(world, 'a video is a picture', picture, '', EITHER)  # It is a video of one frame.
    yield _case(
        world, 'sound alone', _written('clip.mkv', video_samples.write_sound), 'sound alone'
    )
    yield _case(world, 'no frames', _written('clip.mkv', _write_nothing))
    for ending, codec, pixels in (
        ('mkv', 'ffv1', 'bgr0'), ('mp4', 'mpeg4', 'yuv420p'), ('avi', 'mjpeg', 'yuvj420p')
    ):  # fmt: skip
        for share in (0.05, 0.5, 0.9):
            spoil = _spoiled(
                f'clip.{ending}', codec, pixels, lambda text, s=share: text[: int(s * len(text))]
            )
            title = f'{ending} cut at {share}'
            # An index at the end of the file is lost with it, and nothing can be read.
            yield _case(world, title, spoil, '', EITHER, (1, 2))
        for seed in range(2):
            spoil = _spoiled(f'clip.{ending}', codec, pixels, lambda text, s=seed: _noise(text, s))
            yield _case(world, f'{ending} with noise {seed}', spoil, '', EITHER, (1, 2))
    clip = _written('clip.mkv', _write)
    for flag in ('--stride=0', '--stride=-1', '--time_range=5:2', '--time_range=99:', '--cutoff=0',
                 '--cutoff=nan', '--fill_gaps=-1', '--fill_gaps=inf', '--time_range=a:b',
                 '--smoothing=none_', '--world=x_up', '--pitch=nan'):  # fmt: skip
        yield _case(world, f'a video with {flag}', clip, more=(flag,))
    for name in NO_FORMATS:
        flag = f'--format={name}'
        yield _case(world, f'a video with {flag[:40]!r}', clip, '--format', more=(flag,))
        picture = (PICTURE, flag, f'--output={world.place()}')
        yield Case(
            'videos', f'a picture with {flag[:40]!r}', 'predict', picture, REFUSED, '--format'
        )
    for name in ('trc,trc_m,calib,bvh,html,csv', ',', ' HTML , html'):
        more = (f'--format={name}',)
        yield _case(world, f'nobody in --format={name}', clip, '', WORKS, more=more)
    for name, content in {
        'empty': b'',
        'random': NO_VIDEOS['random'],
        'cut': _tracks()[:-200],
    }.items():

        def spoil(folder: pathlib.Path, content: bytes = content) -> pathlib.Path:
            (folder / 'out').mkdir()
            (folder / 'out' / 'clip.npz').write_bytes(content)
            return clip(folder)

        title = f'a result is {name} and is made again'
        yield _case(world, title, spoil, '', WORKS, more=('--format=bvh',))
    for name, content in {'deep': b'[' * 100_000, 'cut': b'{', 'zeros': bytes(9)}.items():

        def unsettle(folder: pathlib.Path, content: bytes = content) -> pathlib.Path:
            parts = folder / 'out' / f'clip{PARTS}'
            parts.mkdir(parents=True)
            (parts / track_parts.SETTINGS).write_bytes(content)
            return clip(folder)

        yield _case(world, f'settings of parts are {name}', unsettle, '', WORKS)
    yield from _of_tracks(world)


def _of_tracks(world: World) -> Iterator[Case]:
    """A file of tracks is read, or refused in a sentence; as predictions it is always refused."""
    contents = {name: lambda lie=lie: _tracks(**lie) for name, lie in LIES.items()}
    contents |= {
        f'without {name}': lambda name=name: _tracks(name) for name in NEEDED
    }  # fmt: skip
    contents |= {name: lambda content=content: content for name, content in NO_VIDEOS.items()}
    for name, content in contents.items():
        path = world.place() / 'tracks.npz'

        def story(path: pathlib.Path = path, content: Callable[[], bytes] = content) -> None:
            path.parent.mkdir(parents=True)
            path.write_bytes(content())
            try:
                tracks_files.read(path)
            except UserError as error:
                if 'tracks.npz' in str(error) and '\n' not in str(error):
                    print(f'error: {error}')
                    sys.stdout.flush()
                    os._exit(2)
                raise FalseEndError(f'the sentence is {error}') from error

        yield Case('videos', f'tracks: {name}', story, (), REFUSED)
    path = world.place() / 'tracks.npz'

    def prepare() -> None:
        path.parent.mkdir(parents=True)
        path.write_bytes(_tracks())

    arguments = (f'--config={world.config}', f'--predictions={path}')
    yield Case(
        'videos',
        'tracks as predictions',
        'evaluate',
        arguments,
        REFUSED,
        'tracks.npz',
        prepare=prepare,
    )


def _case(
    world: World,
    name: str,
    write: Callable[[pathlib.Path], pathlib.Path],
    sentence: str = '',
    expected: str = REFUSED,
    codes: tuple[int, ...] = (2,),
    more: tuple[str, ...] = (),
) -> Case:
    """A prediction of the video that `write` puts into a folder."""
    folder = world.place()

    def prepare() -> None:
        folder.mkdir(parents=True)
        write(folder)

    def main() -> None:
        (video,) = (path for path in folder.iterdir() if path.name.startswith('clip.'))
        arguments = (str(video), f'--output={folder / "out"}', '--noflip_test', *more)
        os._exit(_flushed(runner.command_code('predict', arguments)))

    return Case(
        'videos', name, main, (), expected, sentence, prepare=prepare, patience=2, codes=codes
    )


def _flushed(code: int) -> int:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


def _file(name: str, content: bytes) -> Callable[[pathlib.Path], pathlib.Path]:
    def write(folder: pathlib.Path) -> pathlib.Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _written(
    name: str, write: Callable[[pathlib.Path], Any]
) -> Callable[[pathlib.Path], pathlib.Path]:
    return lambda folder: write(folder / name)


def _spoiled(
    name: str, codec: str, pixels: str, spoil: Callable[[bytes], bytes]
) -> Callable[[pathlib.Path], pathlib.Path]:
    def write(folder: pathlib.Path) -> pathlib.Path:
        path = folder / name
        video_samples.write(path, list(SHADES), codec=codec, pixel_format=pixels)
        path.write_bytes(spoil(path.read_bytes()))
        return path

    return write


def _write(path: pathlib.Path) -> pathlib.Path:
    return video_samples.write(path, list(SHADES))


def _write_nothing(path: pathlib.Path) -> pathlib.Path:
    """A video whose header is whole and that has no frame."""
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, 'bgr0'
        container.start_encoding()
    return path


def _noise(content: bytes, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    spoiled = np.frombuffer(content, np.uint8).copy()
    spoiled[random.integers(0, len(spoiled), 40)] = random.integers(0, 256, 40)
    return spoiled.tobytes()


def _tracks(*without: str, **lies: Any) -> bytes:
    """A file of tracks, some of whose fields are gone or others."""
    import io

    fields = tracks_files.fields_of(tracks_samples.tracks()) | lies
    stream = io.BytesIO()
    np.savez(stream, **{name: value for name, value in fields.items() if name not in without})
    return stream.getvalue()
