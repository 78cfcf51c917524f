"""Run bots' code confined: the only place that starts processes for them.

A run is a process forked from a warm zygote (`zygote.py`) behind the walls of an engine (`bubblewrap.py`,
`landlock.py`): no network, no credentials, no writable file, limits on time and memory. It may ask a few
questions, and its answer is read as hostile. `prove` chooses the engine. Nobody outside this package knows
how it is done.
"""

from execution.sandbox.choice import inspect, prove, rehearse, run, run_batch
from execution.sandbox.errors import AccountNeeded, SandboxUnavailable
from execution.sandbox.inside.frame import encode_frame
from execution.sandbox.job import Asked, Job, Limits, Run
from execution.sandbox.receipt import Receipt
from execution.sandbox.verdicts import Verdict

__all__ = [
    "AccountNeeded",
    "Asked",
    "Job",
    "Limits",
    "Receipt",
    "Run",
    "SandboxUnavailable",
    "Verdict",
    "encode_frame",
    "inspect",
    "prove",
    "rehearse",
    "run",
    "run_batch",
]
