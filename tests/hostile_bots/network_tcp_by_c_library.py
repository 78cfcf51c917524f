# expect: FORBIDDEN|FAILED
# category: network; harmless outside
import ctypes
import socket
import struct

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4B8x", self.config["port"], 127, 0, 0, 1)
        if libc.connect(descriptor, address, len(address)) == 0:
            return Action("BUY", 1.0, "ESCAPED: connected")
        raise OSError(ctypes.get_errno(), "refused")
