"""`python -m tests.breaking`: strange input, damaged files, killed commands, full disks.

    python -m tests.breaking
    python -m tests.breaking --kind=flags,paths --verbose
    python -m tests.breaking --kind=weights --only=safetensors --jobs=1

Each case is a command, or a story of several, in a process of its own. It must end in time, with
the right result or with one sentence and exit code 2. What is printed at the end are the counts of
cases that ended cleanly, in a traceback, not at all (or with more time or memory than the case
may take), or in a false result; the goal is 0 of the last three. `--seed` chooses the random ones.
"""
