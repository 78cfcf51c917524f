# expect: FORBIDDEN|FAILED
# category: network
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        refusals = []
        for path in (
            "/var/run/docker.sock",
            "/run/containerd/containerd.sock",
            "/run/dbus/system_bus_socket",
            "/dev/log",
        ):
            try:
                socket.socket(socket.AF_UNIX).connect(path)
                return Action("BUY", 1.0, f"ESCAPED: speaks with {path}")
            except OSError as error:
                refusals.append(error)
        raise refusals[0]
