"""The frozen detector of a state: stored as it was published, prepared while it is used."""

from __future__ import annotations

from capf_jax.backends import programs
from capf_jax.runtime import devices
from capf_jax.tasks.steps import TrainState


def for_use(state: TrainState) -> TrainState:
    """The state with what the backend works out of its frozen detector beforehand, on all devices.

    Steps take either state and give the same; they are faster with this one. A checkpoint or a
    weight file holds the other. A state without a detector, a prepared one, and any on a backend
    that prepares nothing come back as they are.
    """
    frozen = devices.to_host(state.frozen)
    if not frozen:
        return state
    prepared = programs.prepared(frozen)
    return state if prepared is frozen else state.replace(frozen=devices.replicate(prepared))
