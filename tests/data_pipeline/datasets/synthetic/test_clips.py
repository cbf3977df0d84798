"""Clips cut a split into runs; processes change nothing and need nothing of the program."""

import os
import subprocess
import sys

import pytest
import tensorflow_datasets as tfds

from data_pipeline.datasets.synthetic import Settings, clips
from tests.data_pipeline.building.toy import contents

# As a user writes it, without `if __name__ == '__main__'`.
SCRIPT = """
import os, sys
from ml_collections import ConfigDict
from data_pipeline.datasets import synthetic
synthetic.clips._SAMPLES = 4
fields = dict(train_size=10, test_size=2, height=32, width=24, supersample=1, processes=PROCESSES)
builder = synthetic.builder_from_config(ConfigDict({'dir': sys.argv[1], 'builder': fields}))
builder.download_and_prepare()
print(builder.data_dir)
print(sys.modules['__main__'].__file__, [name for name in os.environ if 'MALLOC' in name])
"""


@pytest.mark.parametrize(('samples', 'sizes'), [(4, [4, 4, 2]), (5, [5, 5]), (20, [10])])
def test_clips_hold_every_sample_once_in_order(samples, sizes):
    cut = clips.clips_of(Settings(train_size=10), 'train', samples)
    assert [clip.size for clip in cut] == sizes
    assert [n for clip in cut for n in range(clip.start, clip.stop)] == list(range(10))
    assert len({clip.name for clip in cut}) == len(cut)


def test_a_script_without_a_guard_renders_the_same_in_two_processes(tmp_path):
    """Two processes against one; two interpreters whose hashes of texts differ."""
    program = tmp_path / 'script.py'
    results = []
    for count, hash_seed in ((2, '1'), (1, '2')):
        program.write_text(SCRIPT.replace('PROCESSES', str(count)))
        done = subprocess.run(
            [sys.executable, program, tmp_path / hash_seed],
            env=os.environ | {'PYTHONPATH': os.getcwd(), 'PYTHONHASHSEED': hash_seed},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        *_, data_dir, left = done.stdout.splitlines()
        assert left == f'{program} []'  # the program and its environment are as they were
        results.append(contents(tfds.builder_from_directory(data_dir)))
    assert results[0] == results[1]
    assert len(results[0]) == 12
