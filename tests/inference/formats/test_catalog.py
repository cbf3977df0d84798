"""The table of formats: names, libraries that are missing, nobody, files of an earlier result."""

import dataclasses

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference.formats import catalog
from tests.inference.formats.moving import moving
from tests.inference.people_samples import people

IMAGES = [np.full((48, 64, 3), 90, np.uint8)] * 12
NOBODY = moving().select(people=[])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_formats_are_chosen_once_and_bring_others():
    chosen = catalog.choose('bvh, TRC,bvh,trc_m')
    assert [one.name for one in chosen] == ['bvh', 'calib', 'trc', 'trc_m']


def test_an_unknown_format_is_told_the_nearest():
    with pytest.raises(UserError, match="--format is 'gtlf'; the nearest is 'gltf'"):
        catalog.choose('trc,gtlf')


def test_a_missing_library_is_named_with_what_installs_it():
    lacking = dataclasses.replace(catalog.FORMATS['c3d'], library='no_such_module')
    with pytest.raises(UserError, match=r'--format=c3d needs the package c3d.*: pip install c3d'):
        catalog.check([lacking])


def test_a_library_for_videos_is_not_needed_for_photographs():
    lacking = dataclasses.replace(catalog.FORMATS['html'], film_library='no_such_module')
    catalog.check([lacking], is_video=False)
    with pytest.raises(UserError, match='needs the package av'):
        catalog.check([lacking], is_video=True)


def test_each_person_has_files(tmp_path):
    catalog.write(catalog.choose('trc,bvh,gltf'), tmp_path / 'a.b', moving(number=2))
    assert names(tmp_path) == [
        'a.b.calib.toml', 'a.b.glb', 'a.b.person3.bvh', 'a.b.person3.trc', 'a.b.person4.bvh',
        'a.b.person4.trc',
    ]  # fmt: skip


def test_people_of_an_earlier_result_do_not_stay(tmp_path):
    formats = catalog.choose('bvh')
    (tmp_path / 'a.personal.bvh').touch()
    catalog.write(formats, tmp_path / 'a', moving(number=2))
    catalog.write(formats, tmp_path / 'a', moving(number=1))
    assert names(tmp_path) == ['a.person3.bvh', 'a.personal.bvh']


def test_a_person_without_any_pose_has_no_file(tmp_path):
    two = moving(number=2)
    two = dataclasses.replace(two, valid=two.valid & [[True], [False]])
    assert catalog.write(catalog.choose('bvh'), tmp_path / 'a', two) == []
    assert names(tmp_path) == ['a.person3.bvh']


@pytest.mark.parametrize('name', [name for name in catalog.FORMATS if name != 'rrd'])
def test_nobody_is_a_file_or_a_sentence(tmp_path, name):
    formats = catalog.choose(name)
    sentences = catalog.write(formats, tmp_path / 'a', NOBODY, lambda: IMAGES)
    asked = catalog.FORMATS[name]
    if asked.needs_people:
        expected = f'walk.mp4: nobody has a pose, so that there is no .{asked.ending}'
        assert sentences == [expected]
    else:
        assert sentences == []
        assert names(tmp_path) == [f'a.{asked.ending_of(is_video=True)}']
    assert catalog.are_written(formats, tmp_path / 'a', shows_nobody=True)


def test_a_format_is_written_only_with_all_its_files(tmp_path):
    formats = catalog.choose('trc,gltf')
    catalog.write(formats, tmp_path / 'a', moving())
    assert catalog.are_written(formats, tmp_path / 'a', shows_nobody=False)
    (tmp_path / 'a.person3.trc').unlink()
    assert not catalog.are_written(formats, tmp_path / 'a', shows_nobody=False)


def test_a_file_that_cannot_be_written_leaves_the_older_one(tmp_path):
    formats = catalog.choose('bvh')
    catalog.write(formats, tmp_path / 'a', moving())
    before = (tmp_path / 'a.person3.bvh').read_bytes()
    endless = moving()
    object.__setattr__(endless, 'skeleton', 'none')
    with pytest.raises(UserError):
        catalog.write(formats, tmp_path / 'a', endless)
    assert (tmp_path / 'a.person3.bvh').read_bytes() == before
    assert names(tmp_path) == ['a.person3.bvh']


def test_overlays_need_pictures(tmp_path):
    with pytest.raises(UserError, match='overlay draws on pictures'):
        catalog.write(catalog.choose('overlay'), tmp_path / 'a', moving())


def test_a_photograph_has_the_same_files(tmp_path):
    one = people(2, joints2d_skeleton='h36m17', joints2d=np.full((2, 17, 2), 30.0),
                 confidence=np.ones((2, 17)))  # fmt: skip
    formats = catalog.choose('trc,bvh,c3d,gltf,overlay,html')
    assert catalog.write_people(formats, tmp_path / 'a', one, IMAGES[0]) == []
    assert names(tmp_path) == [
        'a.calib.toml', 'a.glb', 'a.html', 'a.overlay.jpg', 'a.person0.bvh', 'a.person0.c3d',
        'a.person0.trc', 'a.person1.bvh', 'a.person1.c3d', 'a.person1.trc',
    ]  # fmt: skip
