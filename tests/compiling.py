"""How the programs of tests are compiled: with little work of LLVM's, or as a user's are."""

LEVEL = 'xla_backend_optimization_level'
# Of all tests, in XLA_FLAGS: programs that run for moments are compiled in half the time.
QUICKLY = f'--{LEVEL}=0'
# Of single programs, for `jax.jit`: those of tests/parity, which stand for what users run, and
# those whose tolerance is that of LLVM's usual rounding.
AS_FOR_USERS = {LEVEL: 3}
