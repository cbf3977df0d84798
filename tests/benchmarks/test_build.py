"""The benchmark of a build writes a raw tree, builds it and reads it."""

from benchmarks import build


def test_rows_say_speed_size_and_what_is_extrapolated(monkeypatch):
    monkeypatch.setattr(build, 'PROCESSES', (1,))
    monkeypatch.setattr(build, 'PICTURES', 2)
    monkeypatch.setattr(build, 'READ', 16)
    built, read, human36m, mpi_inf_3dhp = build.rows('32')
    assert built.name == 'build of 32 people, 1 processes, a person'
    assert 'people/s' in built.note
    assert 'kB a person' in built.note
    assert 'people/s' in read.note
    assert 'extrapolated to 2,103,096 people' in human36m.note
    assert 'extrapolated to 1,055,665 people' in mpi_inf_3dhp.note


def test_tree_has_as_many_pictures_as_people(tmp_path):
    assert build.write_tree(tmp_path / 'source', 50) == 48  # 16 videos of 3 frames or so
    assert len(list((tmp_path / 'source').glob('images/*/*.jpg'))) == 48
