"""The compiler options of programs for a CPU."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from capf_jax.backends.cpu import tricks

# XLA hands convolutions, and groups of operations around a matrix product, to the library YNNPACK.
# Its convolutions run on one core, and its groups keep sampling from being one loop. Matrix
# products alone are faster with it, except those of few rows and large weights.
YNNPACK = 'xla_cpu_experimental_ynn_fusion_type'
MATRIX_PRODUCTS_ALONE = 'LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT'
# Bits of a vector register, where the CPU has them; LLVM's own choice is 256.
VECTORS = {'xla_cpu_prefer_vector_width': 512}
# How much LLVM works on the loops around the libraries' matrix products, 0 to 3.
QUICKLY = {'xla_backend_optimization_level': 1}


def compiler_options(few_rows: bool = False, quickly: bool = False) -> dict[str, str | int]:
    """The options for `jax.jit`, without those that this JAX does not know.

    Args:
      few_rows: whether the program's matrix products may be of few rows, as one person's are.
      quickly: whether the compiler is to take less time.
    """
    options: dict[str, str | int] = {}
    if tricks.is_on('ynnpack'):
        options[YNNPACK] = '' if few_rows and tricks.is_on('few_rows') else MATRIX_PRODUCTS_ALONE
    if tricks.is_on('wide_vectors'):
        options |= VECTORS
    if quickly:
        options |= QUICKLY
    return {name: value for name, value in options.items() if is_known(name, value)}


@functools.cache
def is_known(name: str, value: str | int) -> bool:
    """Whether this JAX has a compiler option; the experimental ones may go as they came."""
    try:
        # The loop of a training forbids transfers unasked, which would pass for an unknown option.
        with jax.transfer_guard('allow'):
            jax.jit(jnp.negative, compiler_options={name: value})(0.0)
    except jax.errors.JaxRuntimeError:
        return False
    return True
