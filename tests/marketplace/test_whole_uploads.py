"""A form that was cut on its way, over a real socket."""

import socket
from urllib.parse import urlsplit

import pytest
from pytest_django.live_server_helper import LiveServer

BOUNDARY = "b0und4ry"
TOKEN = "t" * 32


def form(content: bytes = b"x" * 200_000) -> bytes:
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    head = f'{part}"file"; filename="a.json"\r\n\r\n'.encode()
    tail = f'\r\n{part}"csrfmiddlewaretoken"\r\n\r\n{TOKEN}\r\n--{BOUNDARY}--\r\n'.encode()
    return head + content + tail


def answer_to(live_server: LiveServer, body: bytes, *, length: int) -> bytes:
    """Return the status that follows the body, after which nothing more is sent."""
    address = urlsplit(live_server.url)
    head = (
        f"POST /accounts/login/ HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {length}\r\n"
        f"Cookie: csrftoken={TOKEN}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").readline().split()[1]


@pytest.mark.django_db(transaction=True)
def test_a_form_is_taken_whole_or_refused(live_server: LiveServer) -> None:
    whole = form()

    assert answer_to(live_server, whole, length=len(whole)) == b"200"
    assert answer_to(live_server, whole[: len(whole) // 2], length=len(whole)) == b"400"
    assert answer_to(live_server, whole[:1000], length=1000) == b"400"
    assert answer_to(live_server, b"", length=1 << 40) == b"400"
