"""The command predict on videos: what it writes, where it goes on, and what it refuses."""

import shutil

import av
import numpy as np
import pytest
from PIL import Image

from capf_jax import predict
from capf_jax.errors import UserError
from capf_jax.inference import people_files, tracks_files
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.video import video_arguments
from tests.inference.video import video_samples
from tests.predicting import tiny_weights as tiny_weights  # fixtures
from tests.predicting_videos import FINDER, FRAMES, written
from tests.predicting_videos import finder_of_one as finder_of_one
from tests.predicting_videos import run_on_videos as run_on_videos
from tests.predicting_videos import two_videos as two_videos


def test_videos_become_files_once(run, videos, tmp_path, capsys):
    assert run(videos, '--json', '--csv', '--world=z_up') == 0
    assert written(tmp_path) == [f'{n}.{e}' for n in ('one', 'two') for e in ('csv', 'json', 'npz')]
    tracks = tracks_files.read(tmp_path / 'out' / 'one.npz')
    assert (tracks.source, tracks.axes, len(tracks.times)) == ('one.mkv', 'z_up', FRAMES)
    assert len(people_files.read(tmp_path / 'out' / 'one.json')) == tracks.present.sum()
    assert 'people in 4 frames' in capsys.readouterr().out.replace('person', 'people')
    assert run(videos, '--json') == 0
    assert '2 of 2 videos are finished already' in capsys.readouterr().out


def test_files_of_other_programs_belong_to_the_result(run, videos, tmp_path, capsys):
    arguments = (videos / 'one.mkv', '--format=trc,bvh,overlay,html,csv')
    files = ['one.calib.toml', 'one.csv', 'one.html', 'one.npz', 'one.overlay.mp4']
    files += ['one.person0.bvh', 'one.person0.trc']
    assert run(*arguments) == 0
    assert written(tmp_path) == files
    with av.open(tmp_path / 'out' / 'one.overlay.mp4') as video:
        assert len(list(video.decode(video=0))) == FRAMES
    capsys.readouterr()
    assert run(*arguments) == 0
    assert '1 of 1 videos are finished already' in capsys.readouterr().out
    (tmp_path / 'out' / 'one.person0.bvh').unlink()
    assert run(*arguments) == 0
    assert written(tmp_path) == files


def test_further_files_are_made_of_a_result_with_the_same_options(
    run, videos, tmp_path, monkeypatch, capsys
):
    arguments = (videos / 'one.mkv', '--stride=2', '--world=y_up')
    assert run(*arguments) == 0
    archive = tmp_path / 'out' / 'one.npz'
    before = archive.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(predict, '_predictor', None)
        assert run(*arguments, '--csv', '--format=bvh,overlay') == 0
    assert 'one.mkv: what was missing is made of' in capsys.readouterr().out
    assert archive.read_bytes() == before
    files = ['one.csv', 'one.overlay.mp4', 'one.person0.bvh']
    made = {name: (tmp_path / 'out' / name).read_bytes() for name in files}
    assert run(*arguments, '--csv', '--format=bvh,overlay', '--overwrite') == 0
    assert made == {name: (tmp_path / 'out' / name).read_bytes() for name in files}


def test_further_files_with_other_options_are_refused(run, videos, tmp_path):
    run(videos / 'one.mkv')
    with pytest.raises(UserError, match='made with another --stride: give the same for further'):
        run(videos / 'one.mkv', '--stride=2', '--json')
    assert written(tmp_path) == ['one.npz']


def test_files_of_the_older_result_go_when_it_is_made_again(run, videos, tmp_path, capsys):
    run(videos / 'one.mkv', '--csv', '--format=trc')
    (tmp_path / 'out' / 'one.txt').write_text('of someone else')
    capsys.readouterr()
    assert run(videos / 'one.mkv', '--overwrite', '--stride=2', '--csv') == 0
    assert written(tmp_path) == ['one.calib.toml', 'one.csv', 'one.npz', 'one.txt']
    printed = capsys.readouterr().out
    assert 'files of the older result are removed: one.person0.trc\n' in printed
    assert 'files of the older result may still be there: one.calib.toml\n' in printed


def test_a_file_that_is_no_video_leaves_nothing(run, tmp_path):
    damaged = tmp_path / 'damaged.mp4'
    damaged.write_bytes(b'no video')
    with pytest.raises(UserError, match='is no video that can be read'):
        run(damaged)
    assert not (tmp_path / 'out').exists()


def test_one_damaged_video_does_not_stop_the_others(run, videos, tmp_path, capsys):
    damaged = tmp_path / 'damaged.mp4'
    damaged.write_bytes(b'no video')
    assert run(damaged, videos / 'one.mkv') == 1
    assert written(tmp_path) == ['one.npz']
    assert 'damaged.mp4 is no video that can be read' in capsys.readouterr().err


def test_python_gives_what_the_command_writes(run, videos, weights, tmp_path):
    run(videos / 'one.mkv', '--stride=2')
    stored = tracks_files.read(tmp_path / 'out' / 'one.npz')
    tracks = Estimator.load(weights).predict(
        videos / 'one.mkv', stride=2, flip_test=False, finder=FINDER
    )
    np.testing.assert_array_equal(tracks.frames, stored.frames)
    assert (len(stored), stored.fps, tracks.fps) == (1, 5.0, 5.0)


def test_a_result_is_finished_until_its_video_is_another_one(run, videos, tmp_path, capsys):
    clip = tmp_path / 'clip.mkv'
    shutil.copyfile(videos / 'one.mkv', clip)
    assert run(clip) == 0
    clip.unlink()
    shutil.copy2(videos / 'one.mkv', clip)  # The same video, with another time.
    capsys.readouterr()
    assert run(clip) == 0
    assert capsys.readouterr().out == '1 of 1 videos are finished already (--overwrite redoes)\n'
    video_samples.write(clip, video_samples.noisy(3))
    assert run(clip) == 0
    assert 'clip.npz was made of: it is predicted again' in capsys.readouterr().out
    assert len(tracks_files.read(tmp_path / 'out' / 'clip.npz').times) == 3


def test_a_video_that_is_cut_short_stays_so_until_it_is_copied_again(run, tmp_path, capsys):
    whole = video_samples.write(tmp_path / 'whole.mkv', video_samples.noisy(12))
    cut = video_samples.cut(whole, 0.5)
    expected = f'error: {cut} is cut short after 0.50 of 1.20 s; copy or download it again'
    for _ in range(2):
        assert run(cut) == 1
        captured = capsys.readouterr()
        assert expected in captured.err
        assert captured.err.endswith('for the rest; what came before is written\n')
        assert 'finished already' not in captured.out
    assert len(tracks_files.read(tmp_path / 'out' / 'cut.npz').times) == 5
    shutil.copyfile(whole, cut)
    assert run(cut) == 0
    assert len(tracks_files.read(tmp_path / 'out' / 'cut.npz').times) == 12


def test_options_that_a_finished_result_was_not_made_with_are_told(run, videos, tmp_path, capsys):
    clip = videos / 'one.mkv'
    run(clip, '--world=z_up', '--time_range=0:9')
    out = capsys.readouterr().out
    assert 'one.mkv ends at 0.40 s, before the 9 s of the time range' in out
    assert run(clip, '--stride=2', '--time_range=0:9', '--conversion=gast') == 0
    assert 'with another --conversion, --stride, --world, and stay' in capsys.readouterr().out
    result = tmp_path / 'out' / 'one.npz'
    tracks = tracks_files.read(result)
    assert tracks.axes == 'z_up'
    tracks_files.write(result, tracks)  # as older programs did
    assert run(clip) == 0
    assert capsys.readouterr().out == '1 of 1 videos are finished already (--overwrite redoes)\n'
    result.write_bytes(result.read_bytes()[:-200])
    assert run(clip) == 0
    assert tracks_files.read(result).axes == 'camera'


def test_python_keeps_the_results_beside_a_bad_video(videos, weights, tmp_path):
    estimator = Estimator.load(weights)
    damaged = tmp_path / 'damaged.mkv'
    damaged.write_bytes(b'no video')
    whole = video_samples.write(tmp_path / 'whole.mkv', video_samples.noisy(12))
    cut = video_samples.cut(whole, 0.5)
    with pytest.warns(UserWarning, match=r'\.mkv is ') as told:
        one, none, short = estimator.predict(
            [videos / 'one.mkv', damaged, cut], flip_test=False, finder=FINDER
        )
    assert (len(one.times), none, len(short.times)) == (FRAMES, None, 5)
    sentences = [str(warning.message) for warning in told]
    assert 'damaged.mkv is no video that can be read' in sentences[0]
    assert sentences[0].endswith('; its result is None')
    assert 'cut.mkv is cut short after 0.50 of 1.20 s' in sentences[1]
    assert {warning.filename for warning in told} == {__file__}
    with pytest.raises(UserError, match=r'damaged\.mkv is no video'):
        estimator.predict([damaged], finder=FINDER)


def test_python_warns_of_what_the_command_would_tell(videos, weights):
    estimator = Estimator.load(weights)
    with pytest.warns(UserWarning, match=r'one\.mkv ends at 0\.40 s, before the 9 s'):
        estimator.predict(
            videos / 'one.mkv', time_range=(0, 9), stride=2, flip_test=False, finder=FINDER
        )


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--stride=0',), 'a stride of 0 is none'),
        (('--time_range=5:2',), 'the time range 5:2 is none'),
        (('--cutoff=-1',), 'a cutoff of -1.0 Hz is none'),
        (('--box=1,2,3,4',), '--box is for pictures'),
    ],
)
def test_arguments_that_do_not_fit_are_told_at_once(run, videos, arguments, words):
    with pytest.raises(UserError, match=words):
        run(videos, *arguments)


def test_a_picture_and_a_video_of_one_name_are_told(run, videos, tmp_path):
    picture = tmp_path / 'one.png'
    Image.new('RGB', (64, 64)).save(picture)
    with pytest.raises(UserError, match='both called one'):
        run(picture, videos / 'one.mkv')


@pytest.mark.parametrize(
    ('text', 'expected'), [('2:5.5', (2.0, 5.5)), (':4', (0.0, 4.0)), ('3:', (3.0, None))]
)
def test_a_time_range_may_lack_an_end(text, expected):
    assert video_arguments._range(text) == expected


def test_a_time_range_is_two_numbers(run, videos):
    with pytest.raises(UserError, match='must be seconds'):
        run(videos, '--time_range=abc')
