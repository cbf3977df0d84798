"""What a process takes from Slurm or Open MPI: its place, and its devices."""

import pytest

from capf_jax.runtime import joining

SLURM = {
    'SLURM_JOB_ID': '4100',
    'SLURM_STEP_NODELIST': 'node[07-08]',
    'SLURM_STEP_NUM_NODES': '2',
    'SLURM_LOCALID': '1',
}
ADDRESS = 'node07:61444'  # JAX takes a port by the number of the job.


@pytest.fixture
def slurm(monkeypatch):
    """Sets Slurm's variables, and others."""

    def start(**others):
        for name in (*joining.ENVIRONMENT, 'JAX_LOCAL_DEVICE_IDS'):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**SLURM, **others}.items():
            monkeypatch.setenv(name, value)

    return start


def test_each_of_several_tasks_of_a_machine_has_one_device(slurm):
    slurm(SLURM_NTASKS='4', SLURM_PROCID='3')
    assert joining.find_place() == joining.Place(ADDRESS, 4, 3, [1])


def test_a_task_that_is_alone_on_its_machine_has_all_devices(slurm):
    slurm(SLURM_NTASKS='2', SLURM_PROCID='1', SLURM_LOCALID='0')
    assert joining.find_place() == joining.Place(ADDRESS, 2, 1, None)


def test_the_user_decides_on_devices_by_jaxs_own_variable(slurm):
    slurm(SLURM_NTASKS='4', SLURM_PROCID='3', JAX_LOCAL_DEVICE_IDS='0,1')
    assert joining.find_place() == joining.Place(ADDRESS, 4, 3, None)


def test_under_open_mpi_a_task_has_one_device(slurm, monkeypatch):
    slurm()
    for name in SLURM:
        monkeypatch.delenv(name)
    monkeypatch.setenv('OMPI_MCA_orte_hnp_uri', '1531576320.0;tcp://10.96.0.1:34911')
    for name, value in {'SIZE': '4', 'RANK': '3', 'LOCAL_RANK': '1'}.items():
        monkeypatch.setenv(f'OMPI_COMM_WORLD_{name}', value)
    place = joining.find_place()
    assert (place.count, place.index, place.devices) == (4, 3, [1])
