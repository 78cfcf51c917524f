"""Run one job confined, from the question to the verdict."""

from bot_sdk.text import printable
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.jail import LONGEST_LOG, Ending, open_jail
from execution.sandbox.job import Job, Limits, Run
from execution.sandbox.judgement import judge
from execution.sandbox.verdicts import Verdict


def run(job: Job, limits: Limits) -> Run:
    """Run the job's bot in a jail of its own and return how that ended.

    Never raises for what a bot does, and not for a jail that does not start either: that is the verdict
    UNAVAILABLE. May be called from many threads at once; each call starts one process and ends it. Beside
    `limits.seconds` it takes the time in which the jail starts, a second or two.
    """
    try:
        with open_jail(job) as jail:
            ending = jail.run(limits)
    except (SandboxUnavailable, OSError) as error:  # the latter when this process is out of files or memory
        return Run(Verdict.UNAVAILABLE, message=str(error))
    answer = judge(ending, limits)
    return Run(
        verdict=answer.verdict,
        action=answer.action,
        message=answer.message,
        log=_readable(ending),
        seconds=ending.seconds,
        cpu_seconds=ending.after.cpu_seconds - ending.before.cpu_seconds,
        peak_memory_mb=ending.after.peak_memory_mb,
    )


def _readable(ending: Ending) -> str:
    lines = ending.log[:LONGEST_LOG].decode(errors="replace").splitlines()
    if len(ending.log) > LONGEST_LOG:
        lines.append(f"[cut at {LONGEST_LOG // 1024} KB]")
    return "\n".join(printable(line) for line in lines)
