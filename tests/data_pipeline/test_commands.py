"""Every command of the data pipeline prints its help, with examples."""

import cv2
import pytest

from capf_jax.errors import UserError
from capf_jax.runtime import commands
from data_pipeline import build, check, from_pose2sim, preview


@pytest.mark.parametrize('command', [build, check, from_pose2sim, preview])
def test_help_shows_examples(command, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['program', '--help'])
    with pytest.raises(SystemExit) as stopped:
        commands.run(command.main)
    assert stopped.value.code == 0
    assert f'    python -m {command.__name__} ' in capsys.readouterr().out


def test_help_of_a_dataset_lists_its_fields(capsys):
    with pytest.raises(SystemExit):
        build.main(['build', 'own_data', '--help'])
    printed = capsys.readouterr().out
    assert '--test_cameras' in printed
    assert '--size' in printed


def test_a_preview_shows_as_many_samples_as_asked(tmp_path):
    path = tmp_path / 'folder' / 'people.png'
    arguments = [f'--out={path}', '--count=11', '--size=32x24', '--supersample=1', '--zoom=1']
    assert preview.main(['preview', *arguments]) == 0
    assert cv2.imread(str(path)).shape == (2 * 32, 10 * 24, 3)


def test_a_preview_of_clips_has_a_row_for_each(tmp_path):
    path = tmp_path / 'clips.png'
    fields = ['--size=32x24', '--supersample=1', '--clip_frames=4', '--fps=5']
    assert preview.main(['preview', f'--out={path}', '--count=11', '--zoom=1', *fields]) == 0
    sheet = cv2.imread(str(path))
    assert sheet.shape == (2 * 32, 10 * 24, 3)
    assert sheet[32:, :24].any()
    assert not sheet[32:, 24:].any()


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--out=people.text'], 'name a .png or .jpg'),
        (['--out=people.png', '--count=0'], '--count is 0; give at least 1'),
        (['--out=people.png', '--light=dark'], "light is 'dark'"),
        (['--out=people.png', '--surface=maybe'], 'must be true or false'),
    ],
)
def test_a_bad_argument_of_the_preview_is_named(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        preview.main(['preview', *arguments])
