# expect: FORBIDDEN|FAILED|CRASHED|OK
# category: kernel
import ctypes
import mmap
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "machine code for another machine")
        private, anonymous = 0x02, 0x20
        page = mmap.mmap(
            -1, mmap.PAGESIZE, private | anonymous, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        )
        page.write(bytes.fromhex("b829000000bf02000000be0100000031d20f05c3"))
        run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        answer = run()
        if answer >= 0:
            return Action("BUY", 1.0, "ESCAPED: a socket without the C library")
        raise OSError(-answer, "refused")
