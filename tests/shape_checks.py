"""How tests check the types and shapes in signatures: by beartype, for jaxtyping's import hook."""

import beartype

# An int is welcome where a float is asked for, as everywhere in Python.
check = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))

ROOMS = ('capf_jax.pose', 'capf_jax.models', 'capf_jax.tasks', 'capf_jax.scoring')
