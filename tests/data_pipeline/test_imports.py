"""What the data pipeline needs of capf_jax: poses, errors, and helpers of its runtime."""

import ast
import pathlib

import data_pipeline

FOLDER = pathlib.Path(data_pipeline.__file__).parent
ALLOWED = (
    'capf_jax.errors',
    'capf_jax.pose',
    'capf_jax.runtime.array_files',
    'capf_jax.runtime.commands',
    'capf_jax.runtime.configuration',
    'capf_jax.runtime.files',
    'capf_jax.runtime.locks',
    'capf_jax.runtime.signals',
    'capf_jax.runtime.value_checks',
    'capf_jax.runtime.value_kinds',
    'capf_jax.runtime.worker_start',
)


def imported(path):
    """Dotted names that a file imports of capf_jax."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f'{node.module}.{alias.name}' for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split('.')[0] == 'capf_jax')


def test_nothing_else_of_capf_jax_is_imported():
    others = [
        f'{path.relative_to(FOLDER)}: {name}'
        for path in sorted(FOLDER.rglob('*.py'))
        for name in imported(path)
        if not any(f'{name}.'.startswith(f'{one}.') for one in ALLOWED)
    ]
    assert others == []
