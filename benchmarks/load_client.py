"""`python -m benchmarks.load_client HOST PORT PATH COOKIE SECONDS`: ask for a page as fast as it is answered.

One thread with eight connections that are kept, and no library: it spends a tenth of what a server does on an
empty page. `{n}` in the path is a number that nobody asked for before. Prints how many answers came, in how
many seconds, and the bytes of one.
"""

import selectors
import socket
import sys
import time
from collections.abc import Iterator
from itertools import count

CONNECTIONS = 8


class Asking:
    """One connection: ask, read the answer to its end, ask again."""

    def __init__(self, address: tuple[str, int], questions: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.questions = questions
        self.ask()

    def ask(self) -> None:
        self.read, self.size = bytearray(), 0
        self.socket.sendall(next(self.questions))

    def is_answered(self) -> bool:
        self.read += self.socket.recv(262_144)
        if not self.read:
            raise ConnectionError("The server hung up.")
        if not self.size and (end := self.read.find(b"\r\n\r\n")) > 0:
            head = self.read[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                raise ConnectionError(f"The server answered {bytes(head[:200])!r}.")
            self.size = end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        return 0 < self.size <= len(self.read)


def answers(address: tuple[str, int], path: str, cookie: str, seconds: float) -> tuple[int, float, int]:
    """Return how many answers came, in how many seconds, and how long one is in bytes."""
    head = [f"GET {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}", "Connection: keep-alive"]
    question = "\r\n".join([*head, *([f"Cookie: {cookie}"] if cookie else []), "", ""])
    questions = (question.replace("{n}", str(number)).encode() for number in count(time.time_ns()))
    selector = selectors.DefaultSelector()
    for _ in range(CONNECTIONS):
        asking = Asking(address, questions)
        selector.register(asking.socket, selectors.EVENT_READ, asking)
    answered, size, busy, start = 0, 0, CONNECTIONS, time.perf_counter()
    while busy:  # what was asked is waited for, so that the next load finds an idle server
        for key, _ in selector.select():
            if key.data.is_answered():
                answered, size = answered + 1, key.data.size
                if time.perf_counter() < start + seconds:
                    key.data.ask()
                else:
                    busy -= 1
    return answered, time.perf_counter() - start, size


if __name__ == "__main__":
    host, port, asked_path, asked_cookie, asked_seconds = sys.argv[1:]
    print(*answers((host, int(port)), asked_path, asked_cookie, float(asked_seconds)))
