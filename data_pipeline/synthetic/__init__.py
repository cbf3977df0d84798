"""Synthetic people: a TFDS builder that renders them. `Builder` loads when it is asked for."""

from typing import Any


def __getattr__(name: str) -> Any:
    # Rendering processes import this package too, and need neither TFDS nor its start-up time.
    if name in ('Builder', 'builder_from_config'):
        from data_pipeline.synthetic import builder

        return getattr(builder, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
