"""How programs of tests are compiled: with little work of the compiler's, or as a user's are."""

import os
import subprocess
import sys
from collections.abc import Mapping

LEVEL = 'xla_backend_optimization_level'
# XLA's newer way to machine code, through MLIR, takes three times as long as its older one.
THROUGH_MLIR = 'xla_cpu_use_fusion_emitters'
FLAGS = 'XLA_FLAGS'
_ASK = 'from jaxlib import xla_client; xla_client.CompileOptions()'


def quickly() -> str:
    """The XLA_FLAGS of all tests: programs that run for moments are compiled three times as fast.

    XLA ends a process whose flags it does not know, so that a short one asks it first.
    """
    flags = f'--{LEVEL}=0 --{THROUGH_MLIR}=false'
    command = [sys.executable, '-c', _ASK]
    asked = subprocess.run(
        command, env={**os.environ, FLAGS: flags}, capture_output=True, check=False
    )
    return flags if asked.returncode == 0 else f'--{LEVEL}=0'


def as_for_users() -> dict[str, int | bool]:
    """Options of single programs, for `jax.jit`, that take back what `quickly` gives to all.

    They are for the programs of tests/parity, which stand for what users run, and for those whose
    tolerance is that of XLA's usual rounding.
    """
    return {LEVEL: 3} | ({THROUGH_MLIR: True} if THROUGH_MLIR in os.environ[FLAGS] else {})


def quick(options: Mapping[str, int | bool]) -> dict[str, int | bool]:
    """Compiler options without those of `as_for_users`."""
    return {name: value for name, value in options.items() if name not in as_for_users()}
