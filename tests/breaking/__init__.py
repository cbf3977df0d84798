"""`python -m tests.breaking`: commands with strange inputs, damaged files and impossible paths.

    python -m tests.breaking
    python -m tests.breaking --kinds=flags,paths --verbose

Each case is a command in a process of its own. It must end in time, with the right result or with
one sentence and exit code 2. What is printed at the end are the counts of cases that ended cleanly,
in a traceback, not at all, or in a false result; the goal is 0 of the last three.
"""
