# expect: FORBIDDEN|FAILED|OK
# category: processes
import ctypes
import os
import platform
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        program = os.open(sys.executable, os.O_RDONLY)
        arguments = (ctypes.c_char_p * 3)(b"python", b"--version", None)
        if libc.syscall(322, program, b"", arguments, arguments, 0x1000) >= 0:
            return Action("BUY", 1.0, "ESCAPED: never reached")
        raise OSError(ctypes.get_errno(), "refused")
