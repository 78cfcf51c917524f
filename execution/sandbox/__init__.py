"""Run bots' code confined: the only place that starts processes for them.

One cold process per run, in a jail that bubblewrap builds: no network, no credentials, no writable file,
limits on time and memory, and a structured answer that is read as hostile. Nobody outside this package knows
how it is done.
"""

from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.inside.frame import encode_frame
from execution.sandbox.job import Job, Limits, Run
from execution.sandbox.runner import run
from execution.sandbox.selftest import prove
from execution.sandbox.verdicts import Verdict

__all__ = ["Job", "Limits", "Run", "SandboxUnavailable", "Verdict", "encode_frame", "prove", "run"]
