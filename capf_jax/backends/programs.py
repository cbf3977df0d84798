"""The one door to the backends: what the rest of the house asks for when it compiles a program.

Models are plain formulas, which every backend runs. Where a program is compiled for a backend that
has a room of its own here (CPU and TPU), this module adds what that room knows: compiler options,
faster methods in place of the models' own, kernels prepared beforehand, settings of the process.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from capf_jax.backends import stored
from capf_jax.backends.cpu import folding, memory, options, replacements
from capf_jax.backends.tpu import replacements as tpu_replacements

# The platform that programs are compiled for; None for that of JAX's default backend.
_platform: contextvars.ContextVar[str | None] = contextvars.ContextVar('platform', default=None)


@contextlib.contextmanager
def compiling_for(platform: str) -> Iterator[None]:
    """Programs traced inside are those of a platform that need not be at hand.

    Args:
      platform: as `jax.Device.platform` names it: 'cpu', 'gpu' or 'tpu'.
    """
    token = _platform.set(platform)
    try:
        yield
    finally:
        _platform.reset(token)


def jit(
    function: Callable[..., Any],
    *,
    few_rows: bool = False,
    quickly: bool = False,
    **jit_arguments: Any,
) -> Callable[..., Any]:
    """`jax.jit` for the backend at hand, with its compiler options and its replacements.

    The backend is asked for at the first call, so that a module may be decorated before processes
    have joined. Use it for programs that are called from outside of other programs: JAX takes no
    compiler options inside.

    Args:
      function: a function of the models' plain formulas.
      few_rows: whether the program's matrix products may be of few rows, as one person's are.
      quickly: whether the compiler is to take less time, for what runs a few times alone.
      **jit_arguments: what `jax.jit` takes beside.

    Returns:
      The compiled function; its attribute `jitted()` is what `jax.jit` gave.
    """

    @functools.cache
    def jitted() -> Callable[..., Any]:
        options = compiler_options(few_rows, quickly)
        return jax.jit(specialised(function), compiler_options=options, **jit_arguments)

    static = jit_arguments.get('static_argnums', ())
    run_stored = stored.program(
        function,
        jitted,
        (static,) if isinstance(static, int) else tuple(static),
        (few_rows, quickly),
    )

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or not jit_arguments.keys() <= {'static_argnums'}:
            return jitted()(*args, **kwargs)
        return run_stored(*args)

    call.jitted = jitted  # pyright: ignore[reportAttributeAccessIssue]  # functions take attributes
    return call


def compiler_options(few_rows: bool = False, quickly: bool = False) -> dict[str, str | int]:
    """The options for `jax.jit` on the backend at hand, without those that this JAX does not know.

    The call starts the backend, so that it must come after processes have joined.

    Args:
      few_rows: whether the program's matrix products may be of few rows, as one person's are.
      quickly: whether the compiler is to take less time.
    """
    return options.compiler_options(few_rows, quickly) if _on_cpu() else {}


def specialised(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, traced with the replacements of the backend at hand; equal in what it computes.

    `jit` does this itself. It is for programs that are compiled in another way, such as `jax.pmap`.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _replaced():
            return function(*args, **kwargs)

    return call


def prepared(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """A frozen detector's variables with what the backend at hand works out of them beforehand.

    Args:
      variables: {'params', 'batch_stats'}, NumPy arrays. They stay as they are and can be stored.

    Returns:
      On a CPU the same and a further collection 'cpu'; elsewhere the argument itself, and so
      for variables that are prepared already.
    """
    return folding.prepared(variables) if _on_cpu() else variables


def start_process() -> None:
    """What a command does first, when all is imported and before JAX starts a backend."""
    # Python would look through all of that again and again while it traces: 0.5 s for a photograph.
    gc.freeze()
    memory.keep_freed_memory()
    memory.compute_inline()


def _replaced() -> contextlib.AbstractContextManager[None]:
    """The replacements of the platform that programs are compiled for; none for a GPU."""
    rooms = {'cpu': replacements.active, 'tpu': tpu_replacements.active}
    return rooms.get(_compiled_for(), contextlib.nullcontext)()


def _compiled_for() -> str:
    return _platform.get() or jax.default_backend()


def _on_cpu() -> bool:
    return _compiled_for() == 'cpu'
