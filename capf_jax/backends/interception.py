"""A backend's own methods in place of those of the models, while a program is traced."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.linen as nn

# (class, name of its method) -> (plain, module, *args, **kwargs) -> what the method returns. The
# module is bound, inside the scope of its compact method: a replacement reads its parameters, and
# makes submodules, by the names that the module's own method uses. `plain(*args, **kwargs)` runs
# that method.
Replacements = Mapping[tuple[type[nn.Module], str], Callable[..., Any]]


@contextlib.contextmanager
def replaced(replacements: Replacements) -> Iterator[None]:
    """Calls of Flax modules inside run these methods; equal but for rounding.

    JAX's cache of traces knows nothing of this: one function object, jitted outside and inside,
    gives the first trace both times.
    """

    def intercept(
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        replacement = replacements.get((type(context.module), context.method_name))
        if replacement is None:
            return plain(*args, **kwargs)
        return replacement(plain, context.module, *args, **kwargs)

    with nn.intercept_methods(intercept):
        yield
