"""One package a dataset, named as configurations name it; here they are opened and built."""

from data_pipeline.datasets.opening import (
    bring,
    build_elsewhere,
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
    'bring',
    'build_elsewhere',
    'check_whole',
    'describe',
    'names',
    'not_whole',
    'open_or_build',
    'package',
    'problems',
    'quiet',
]
