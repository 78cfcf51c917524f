# expect: OK
# category: files; harmless outside
import ctypes
import os
import platform

from bot_sdk import Action, CustomBot

HERE, EMPTY, NO_FOLLOW, NO_AUTOMOUNT = -100, 0x1000, 0x100, 0x800


class Attack(CustomBot):
    """The same by the calls themselves, old and new, with what their flags allow."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        room = ctypes.create_string_buffer(512)
        how = ctypes.create_string_buffer(24)
        calls = [
            *((262, HERE, None, room, flags) for flags in (0, EMPTY, NO_FOLLOW, NO_AUTOMOUNT, 1 << 30)),
            *((262, folder, None, room, EMPTY) for folder in (-1, 0, 1, 3, 5)),
            *((332, HERE, None, flags, 0x7FF, room) for flags in (0, EMPTY, NO_FOLLOW, 0x2000)),
            (4, None, room),  # stat
            (6, None, room),  # lstat
            (21, None, 0),  # access
            (89, None, room, 512),  # readlink
            (137, None, room),  # statfs
            (191, None, b"user.note", room, 512),  # getxattr
            (192, None, b"user.note", room, 512),  # lgetxattr
            (194, None, room, 512),  # listxattr
            (195, None, room, 512),  # llistxattr
            (80, None),  # chdir
            (76, None, -1),  # truncate
            (90, None, 0o1000),  # chmod
            (254, -1, None, 2),  # inotify_add_watch
            (267, HERE, None, room, 512),  # readlinkat
            (269, HERE, None, 0),  # faccessat
            (437, HERE, None, how, 24),  # openat2
            (439, HERE, None, 0, EMPTY),  # faccessat2
            (464, HERE, None, 0, b"user.note", how, 16),  # getxattrat
            (468, HERE, None, how, 24, 0),  # file_getattr
        ]
        for name in ("/proc/1", "/home", "/root", "/tmp", self.config["canary_file"]):
            for call in calls:
                if answer(call, name) != answer(call, f"{name}-is-missing"):
                    return Action("BUY", 1.0, f"ESCAPED: {name} is there by call {call[0]}")
        return Action("HOLD", 1.0, "all names alike")


libc = ctypes.CDLL(None, use_errno=True)


def answer(call, path):
    number, *arguments = call
    words = [path.encode() if argument is None else argument for argument in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(number, *(ctypes.c_long(word) if type(word) is int else word for word in words))
    if result > 2 and number == 437:
        os.close(result)
    return min(result, 0), ctypes.get_errno()
