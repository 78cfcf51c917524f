# expect: FORBIDDEN|FAILED
# category: kernel
import ctypes
import socket
import struct

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        allow_all = ctypes.create_string_buffer(struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000))
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(allow_all))
        set_filter, filter_mode = 22, 2
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(set_filter, filter_mode, program, 0, 0)
        socket.socket()
        return Action("BUY", 1.0, "ESCAPED: its own filter came before ours")
