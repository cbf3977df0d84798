"""The command `capf_jax.flops`."""

import pytest

from capf_jax import flops


def test_the_papers_lifter_of_coordinates_alone(capsys):
    # Without a detector nothing large is traced. Table 3 of the paper has 446.0 M.
    argv = ['flops', '--config=configs/human36m_hrnet32.py:step=0', '--format=markdown']
    assert flops.main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in lines[0].split('|')[1:-1]] == ['', 'parameters', 'FLOPs']
    name, parameters, count = (cell.strip() for cell in lines[2].split('|')[1:-1])
    assert name == 'lifter'
    assert int(parameters.replace(',', '')) > 13e6
    assert float(count.removesuffix(' M')) == pytest.approx(446.0, rel=0.01)


def test_the_small_model_has_a_detector_and_a_sum(capsys):
    assert flops.main(['flops', '--config=configs/synthetic.py']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:] if line[0].isalpha()] == [
        'detector', 'lifter', 'together',
    ]  # fmt: skip


def test_a_sequence_lifter_stands_beside_poseformer(capsys):
    assert flops.main(['flops', '--config=configs/synthetic_ca_pf_s.py:frames=3']) == 0
    lines = [line for line in capsys.readouterr().out.splitlines()[2:] if line[0].isalpha()]
    names = [line.split('  ')[0] for line in lines]
    assert names == [
        'detector', 'lifter, one frame', 'lifter, over time', 'together',
        'CA-PF-S, 3 frames', 'PoseFormer as published, 3 frames',
    ]  # fmt: skip
    numbers = [line.replace(name, '').split() for line, name in zip(lines, names, strict=True)]
    parameters = [int(one[0].replace(',', '')) for one in numbers]
    assert parameters[1] + parameters[2] == parameters[4]
    megaflops = [float(one[1]) for one in numbers]
    assert 3 * megaflops[1] + megaflops[2] == pytest.approx(megaflops[4], abs=0.2)
