# expect: FORBIDDEN|FAILED|OK
# category: kernel
import ctypes
import platform
import struct

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        ask_listener = ctypes.create_string_buffer(struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000))
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(ask_listener))
        if libc.syscall(317, 1, 8, program) >= 0:
            return Action("BUY", 1.0, "ESCAPED: answers system calls itself")
        raise OSError(ctypes.get_errno(), "refused")
