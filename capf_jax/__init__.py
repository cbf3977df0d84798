"""Context-Aware PoseFormer in JAX: 3D human pose from one image.

Importing this package imports no JAX, so data workers can use it freely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capf_jax.inference.estimator import Estimator

__version__ = '0.1.0'
__all__ = ['Estimator', '__version__']


def __getattr__(name: str) -> Any:
    """`capf_jax.Estimator`, and with it JAX, is imported when it is first asked for."""
    if name == 'Estimator':
        from capf_jax.inference.estimator import Estimator

        return Estimator
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
