# expect: OK|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for name in (
            "kvm",
            "mem",
            "kmsg",
            "fuse",
            "net/tun",
            "vhost-net",
            "vhost-vsock",
            "loop-control",
            "ptmx",
            "tty",
            "sda",
        ):
            try:
                os.open(f"/dev/{name}", os.O_RDWR)
            except OSError:
                continue
            return Action("BUY", 1.0, f"ESCAPED: the device {name}")
        return Action("HOLD", 1.0, "nothing gained")
