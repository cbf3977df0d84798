"""The kinds of cases; each module makes those of one kind from families of damages."""

from tests.breaking.kinds import (
    config_files,
    datasets,
    flags,
    full_disks,
    kills,
    own_data,
    paths,
    pictures,
    predictions,
    processes,
    runs,
    sequence_weights,
    videos,
    weights,
)

# Kinds whose cases need neither a dataset nor a run.
WITHOUT_RUN = ('flags', 'config files', 'own data', 'pictures')

KINDS = {
    'flags': flags.cases,
    'config files': config_files.cases,
    'paths': paths.cases,
    'runs': runs.cases,
    'datasets': datasets.cases,
    'own data': own_data.cases,
    'pictures': pictures.cases,
    'predictions': predictions.cases,
    'weights': weights.cases,
    'sequence weights': sequence_weights.cases,
    'videos': videos.cases,
    'kills': kills.cases,
    'full disks': full_disks.cases,
    'processes': processes.cases,
}
