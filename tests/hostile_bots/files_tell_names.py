# expect: OK
# category: files; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    """Tell by an answer or an error whether a file is there."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        climbing = os.path.dirname(os.__file__) + 20 * "/.."
        canary = self.config["canary_file"]
        names = ["/proc", "/proc/1", "/proc/self/fd/0", "/home", "/root", "/tmp", "/etc/passwd", canary]
        ways = [
            os.stat,
            os.lstat,
            os.readlink,
            os.statvfs,
            os.listxattr,
            os.chdir,
            lambda path: os.getxattr(path, "user.note"),
            lambda path: os.access(path, os.F_OK),
            lambda path: os.access(path, os.R_OK, effective_ids=True),
            lambda path: os.stat(path.lstrip("/"), dir_fd=0),
        ]
        for name in [*names, *(climbing + name for name in names)]:
            for number, way in enumerate(ways):
                if answer(way, name) != answer(way, f"{name}-is-missing"):
                    return Action("BUY", 1.0, f"ESCAPED: {name} is there by way {number}")
        return Action("HOLD", 1.0, "all names alike")


def answer(way, path):
    try:
        return way(path)
    except OSError as error:
        return error.errno
