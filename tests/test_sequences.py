"""Sequence lifters from rendered clips to scores: PoseFormer by command, CA-PF-S on features."""

import json

import jax
import numpy as np
import pytest

import capf_jax
from capf_jax import data_assembly, evaluate, features, train
from capf_jax.inference import weight_files
from capf_jax.models.detectors.initial import random_variables
from data_pipeline import datasets
from tests import tiny

CONFIG = """from tests import tiny
def get_config(arg=''):
    return tiny.clips({folder!r}, sequence_lifter='poseformer')
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Rendered clips of 6 frames: 24 people to train on, 6 to test on."""
    folder = tmp_path_factory.mktemp('data')
    datasets.open_or_build(tiny.clips(folder).data, build=True)
    return folder


def test_poseformer_is_trained_and_its_weights_are_scored_by_command(folder, tmp_path, capsys):
    path, workdir = tmp_path / 'pf.py', tmp_path / 'run'
    path.write_text(CONFIG.format(folder=str(folder)))
    assert train.main(['train', f'--config={path}', f'--workdir={workdir}']) == 0
    file = workdir / 'sequence.safetensors'
    told = capsys.readouterr().err.splitlines()
    # Frames 0 and 5 of each of the four clips stand at an end.
    assert any(line.startswith("8 of 24 windows of 3 frames in split 'train'") for line in told)
    assert any(line.startswith("2 of 6 windows of 3 frames in split 'test'") for line in told)
    assert evaluate.main(['evaluate', f'--workdir={workdir}', '--checkpoint=latest']) == 0
    assert capsys.readouterr().err.count('2 of 6 windows of 3 frames') == 1
    # The configuration of other windows and of another lifter: the file decides.
    other = tmp_path / 'single.py'
    other.write_text(
        f'from tests import tiny\nget_config = lambda arg="": tiny.clips({str(folder)!r}, 1)\n'
    )
    assert evaluate.main(['evaluate', f'--weights={file}', f'--config={other}']) == 0
    assert 'MPJPE' in capsys.readouterr().out
    results = [
        json.loads(next(place.glob('evaluation*test_flip.json')).read_text())
        for place in (workdir, tmp_path / 'run' / 'sequence_evaluation')
    ]
    one, two = (result['mean_over_frames']['mpjpe'] for result in results)
    assert one == pytest.approx(two, rel=1e-6)
    assert results[1]['protocol']['window'] == '3 frames, the target in the middle'
    estimator = capf_jax.Estimator.load(file)
    assert estimator.lift_sequence(np.zeros((2, 3, tiny.JOINTS, 2))).shape == (2, tiny.JOINTS, 3)


@pytest.mark.slow  # test_windows and test_features prove its parts
def test_ca_pf_s_on_features_scores_as_on_pictures(folder, tmp_path):
    detector = tmp_path / 'detector.safetensors'
    config = tiny.clips(folder, detector_weights=str(detector))
    config.training.epochs = 1
    variables = random_variables(tiny.ca_pf(config).detector, jax.random.key(1))
    metadata = {'kind': 'detector', 'name': 'hrnet', 'skeleton': 'h36m17',
                'model': config.model.to_dict()}  # fmt: skip
    weight_files.save_weights(detector, variables, metadata)
    config.data.features = True
    features.make_features(config)
    train.train_and_evaluate(config, tmp_path / 'run')
    file = tmp_path / 'run' / 'sequence.safetensors'
    stored = evaluate.open_weights(file, config).evaluate()
    config.data.features = False
    seen = evaluate.open_weights(file, config).evaluate()
    np.testing.assert_allclose(stored.predictions, seen.predictions, atol=2e-3)
    assert stored.conditions['window'] == seen.conditions['window']
    assert capf_jax.Estimator.load(file).sequence_lifter.module.frames == 3


def test_features_of_another_detector_file_or_projection_are_other_features(tmp_path):
    detector, projection = tmp_path / 'detector.safetensors', tmp_path / 'single.safetensors'
    detector.write_bytes(b'a detector')
    raw = tiny.clips(tmp_path, detector_weights=str(detector))
    kept = tiny.clips(
        tmp_path,
        detector_weights=str(detector),
        projection_channels=8,
        projection_weights=str(projection),
    )
    with pytest.raises(FileNotFoundError, match=r'mend config\.model\.projection_weights'):
        data_assembly.features_settings(kept)
    settings = [data_assembly.features_settings(raw)]
    for content in (b'one', b'another'):
        projection.write_bytes(content)
        settings.append(data_assembly.features_settings(kept))
    assert [one.channels for one in settings] == [4 + 8 + 16 + 32, 2 * 8, 2 * 8]
    assert len({one.name for one in settings}) == 3
    detector.write_bytes(b'another detector of the same name')
    settings += map(data_assembly.features_settings, (raw, kept))
    assert len({one.name for one in settings}) == 5
    poseformer = tiny.clips(tmp_path, sequence_lifter='poseformer', detector_weights=str(detector))
    with pytest.raises(ValueError, match='are for lifters with context'):
        data_assembly.features_settings(poseformer)
