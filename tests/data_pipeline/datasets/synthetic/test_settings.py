"""The fields of a synthetic dataset: named, checked, and told apart on disk."""

import dataclasses

import pytest

from capf_jax.errors import UserError
from data_pipeline.building import from_fields
from data_pipeline.datasets.synthetic.settings import Settings


def test_different_data_have_different_names():
    names = {
        dataclasses.replace(Settings(), **change).name
        for change in ({}, {'seed': 1}, {'light': 'random'}, {'jpeg_quality': 90}, {'height': 64})
    }
    assert len(names) == 5


def test_names_are_those_of_datasets_built_before():
    assert Settings().name == '128x96-20000-2000-overhead-noise8-seed0-2d1246'
    assert Settings(surface=True, light='random', processes=9).name == (
        '128x96-20000-2000-random-noise8-seed0-13c829'
    )


def test_names_do_not_follow_later_fields_at_their_defaults():
    same = Settings(activities_share=0.0, cameras='studio', truncation=0.0, fps=50.0)
    assert same.name == Settings().name


def test_later_fields_change_the_name(tmp_path):
    paths = [tmp_path / 'a.npz', tmp_path / 'b.npz']
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]))
    changes = (
        {},
        {'cameras': 'photographs'},
        {'cameras': 'photographs', 'truncation': 0.1},
        {'clip_frames': 9},
        {'clip_frames': 9, 'fps': 50.0},
        {'clip_frames': 9, 'noise_seconds': 0.0},
        {'poses': str(paths[0])},
        {'poses': str(paths[0]), 'activities_share': 0.5},
        {'poses': f'{paths[0]},{paths[1]}'},
    )
    assert len({Settings(**change).name for change in changes}) == len(changes)


def test_name_of_one_motion_capture_file_is_as_before(tmp_path):
    path = tmp_path / 'poses.npz'
    path.write_bytes(b'recorded')
    assert Settings(poses=str(path)).name == '128x96-20000-2000-overhead-noise8-seed0-c9cb85'


def test_motion_capture_files_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv('HOME', '/home/somebody')
    settings = Settings(poses='a.npz, ~/b.bvh')
    assert settings.pose_files == ('a.npz', '/home/somebody/b.bvh')
    assert Settings().pose_files == ()


def test_a_missing_motion_capture_file_is_named(tmp_path):
    path = tmp_path / 'there.npz'
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'absent\.npz'):
        _ = Settings(poses=f'{path},absent.npz').name


def test_cut_people_need_photographs():
    with pytest.raises(ValueError, match="cameras = 'photographs'"):
        Settings(truncation=0.1)


def test_clips_need_a_camera_that_stands_still():
    with pytest.raises(ValueError, match="cameras = 'studio'"):
        Settings(clip_frames=9, cameras='photographs')


def test_unknown_field_is_named():
    with pytest.raises(ValueError, match=r"no field 'hieght'.*nearest is 'height'"):
        from_fields(Settings, {'hieght': 64}, 'synthetic')


@pytest.mark.parametrize(
    'fields',
    [
        {'train_size': 0},
        {'light': 'dark'},
        {'noise_sigma': -1.0},
        {'jpeg_quality': 0},
        {'processes': 0},
        {'seed': -1},
        {'cameras': 'phone'},
        {'truncation': 1.5},
        {'activities_share': -0.1},
        {'clip_frames': -1},
        {'clip_frames': 100_000},
        {'fps': 0.0},
        {'noise_seconds': -1.0},
        {'noise_bursts': 9.0},
    ],
)
def test_senseless_fields_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        from_fields(Settings, fields, 'synthetic')


def test_everything_that_is_wrong_is_told_at_once():
    fields = {
        'hieght': 3, 'train_size': 0, 'width': 'wide', 'light': 'dark', 'jpeg_quality': 101,
        'surface': 1, 'poses': 3, 'noise_sigma': float('nan'), 'processes': 10**400,
    }  # fmt: skip
    with pytest.raises(UserError) as error:
        from_fields(Settings, fields, 'synthetic')
    assert [name for name in fields if name not in str(error.value)] == []
    assert str(error.value).count('; ') == 2 * len(fields) - 1
