# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
import ctypes
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        def fill():
            base, size, attributes = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.create_string_buffer(64)
            libc.pthread_self.restype = ctypes.c_void_p
            libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes)
            libc.pthread_attr_getstack(attributes, ctypes.byref(base), ctypes.byref(size))
            ctypes.memset(base.value + 65_536, 1, size.value - (1 << 20))
            stop.wait()

        libc, stop = ctypes.CDLL(None), threading.Event()
        threading.stack_size(64 << 20)
        threads = [threading.Thread(target=fill, daemon=True) for _ in range(30)]
        for thread in threads:
            thread.start()
        threads[0].join(2.0)
        return Action("BUY", 1.0, "ESCAPED: 1.9 GB in 30 stacks")
