"""Run bots' code confined: the only place that starts processes for them.

A run is a process forked from a warm zygote (`zygote.py`) behind the walls of an engine (`bubblewrap.py`,
`landlock.py`): no network, no credentials, no writable file, limits on time and memory. It may ask a few
questions, and its answer is read as hostile. `prove` chooses the engine. Nobody outside this package knows
how it is done.
"""

from bot_sdk.process.frame import encode_frame
from bot_sdk.process.job import Asked, Job, Limits, Run
from bot_sdk.process.questions import AccountNeeded
from bot_sdk.process.verdicts import Verdict
from execution.sandbox.apart import inspect_apart
from execution.sandbox.choice import inspect, introduce, prove, rehearse, run, run_batch, shape
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.receipt import Receipt, receipt_of

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
    "inspect_apart",
    "introduce",
    "prove",
    "receipt_of",
    "rehearse",
    "run",
    "run_batch",
    "shape",
]
