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
        page.write(bytes.fromhex("b814000000cd80c3"))
        run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        answer = run()
        if answer > 0:
            return Action("BUY", 1.0, "ESCAPED: the table of 32-bit calls is open")
        raise OSError(-answer, "refused")
