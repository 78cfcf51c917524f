"""Check the code that comes on stdin, in this process and within limits: `python -m bot_sdk.process.reading`.

Nothing of it is run. But parsing hostile text takes much memory, and may crash: then whoever started this
process goes on.
"""

import resource
import sys

from bot_sdk.process.inspection import INSPECTION_LIMITS, said_of


def main() -> None:
    """Say what is found."""
    memory, seconds = INSPECTION_LIMITS.memory_mb << 20, INSPECTION_LIMITS.cpu_seconds
    for limit, most in (
        (resource.RLIMIT_DATA, memory),  # only Linux holds it
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    sys.stdout.buffer.write(said_of(sys.stdin.buffer.read()))


if __name__ == "__main__":
    main()
