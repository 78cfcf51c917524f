# expect: FORBIDDEN|FAILED|OK
# category: kernel
import ctypes
import errno
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(175, None, 0, b"") >= 0 or ctypes.get_errno() in (errno.EFAULT, errno.ENOEXEC):
            return Action("BUY", 1.0, "ESCAPED: may load kernel code")
        raise OSError(ctypes.get_errno(), "refused")
