import contextlib
import json
import os
import sys

from . import lockdown, output

_ROOT = 0
_OUTPUT = 1
_UP = b"U"


def main(control: int, job_file: int, uid: int) -> None:
    """Follow the steps in the package's docstring. `uid` is the user to become when started as root."""
    if os.getuid() == _ROOT:
        lockdown.change_user(uid)

    # Only now: the libraries are then read with the rights that the bot will have.
    from . import bot_run  # noqa: PLC0415
    from .frame import decode_frame  # noqa: PLC0415
    from .job_file import read_part  # noqa: PLC0415

    with os.fdopen(job_file, "rb", buffering=0) as job:
        task, frame = json.loads(read_part(job)), decode_frame(read_part(job))
        prints = output.send_prints_to(_OUTPUT)
        lockdown.lock_down()
        os.write(control, _UP)
        lockdown.limit_run(**json.loads(os.read(control, 4096)))
        code = read_part(job)

    line = bot_run.answer(code, task, frame)
    with contextlib.suppress(ValueError):  # the bot has closed it
        prints.flush()
    while line:
        line = line[os.write(control, line) :]
    os.read(control, 1)


main(*map(int, sys.argv[1:]))
