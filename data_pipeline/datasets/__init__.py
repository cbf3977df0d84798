"""One package a dataset, named as configurations name it; here they are opened and built."""

from data_pipeline.datasets.opening import (
    check_whole,
    describe,
    names,
    not_whole,
    open_or_build,
    package,
    problems,
    quiet,
)

__all__ = [
    'check_whole',
    'describe',
    'names',
    'not_whole',
    'open_or_build',
    'package',
    'problems',
    'quiet',
]
