"""Addresses that people give us lead to nothing but the public internet (a listener counts who comes)."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from pytest_django.fixtures import Settings

from accounts import outgoing
from accounts.errors import AddressRefused, DeliveryFailed
from tests.accounts.receivers import Listener, listening, receiving

PUBLIC = "93.184.215.14"
ADDRESSES = {  # of names that somebody else's name server may answer with
    "loop.example.com": ["127.0.0.1"],
    "loop6.example.com": ["::1"],
    "any.example.com": ["0.0.0.0"],
    "home.example.com": ["192.168.1.1"],
    "inner.example.com": ["10.0.0.8"],
    "carrier.example.com": ["100.64.0.1"],
    "metadata.example.com": ["169.254.169.254"],
    "both.example.com": ["127.0.0.1", PUBLIC],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "translated.example.com": ["64:ff9b::7f00:1"],
    "six-to-four.example.com": ["2002:7f00:1::"],
    "teredo.example.com": ["2001:0:7f00:1::1"],
    "unique.example.com": ["fd00::1"],
    "link.example.com": ["fe80::1"],
    "many.example.com": ["224.0.0.1"],
    "nowhere.example.com": [],
}
FORMS = [
    *(f"https://{name}{{port}}/hook" for name in ADDRESSES),
    # the same four bytes, and the same sixteen
    "https://127.0.0.1{port}/",
    "https://127.1{port}/",
    "https://127.0.1{port}/",
    "https://2130706433{port}/",
    "https://0x7f000001{port}/",
    "https://0x7f.0.0.1{port}/",
    "https://0x7f.1{port}/",
    "https://0177.0.0.1{port}/",
    "https://017700000001{port}/",
    "https://127.0.0.1.{port}/",
    "https://127.000.000.001{port}/",
    "https://0{port}/",
    "https://0.0.0.0{port}/",
    "https://127.8.8.8{port}/",
    "https://１２７.0.0.1{port}/",  # noqa: RUF001 - wide digits
    "https://①②⑦.⓪.⓪.①{port}/",
    "https://127。0。0。1{port}/",  # noqa: RUF001 - wide stops
    "https://[::1]{port}/",
    "https://[0:0:0:0:0:0:0:1]{port}/",
    "https://[::ffff:127.0.0.1]{port}/",
    "https://[::ffff:7f00:1]{port}/",
    "https://[::]{port}/",
    "https://[::127.0.0.1]{port}/",
    "https://[64:ff9b::127.0.0.1]{port}/",
    "https://[fe80::1%25lo]{port}/",
    # names of this machine
    "https://localhost{port}/",
    "https://LOCALHOST{port}/",
    "https://localhost.{port}/",
    "https://loopback{port}/",
    # other schemes
    "http://127.0.0.1{port}/",
    "http://loop.example.com{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1{port}/_x",
    "ftp://127.0.0.1{port}/",
    "//127.0.0.1{port}/",
    "127.0.0.1{port}",
    # what one parser takes for the host and another for something else
    "https://user@127.0.0.1{port}/",
    "https://example.com@127.0.0.1{port}/",
    "https://example.com:x@127.0.0.1{port}/",
    "https://127.0.0.1{port}\\@example.com/",
    "https://127.0.0.1{port}#@example.com/",
    "https:\\\\127.0.0.1{port}/",
    "https:///127.0.0.1{port}/",
    " https://127.0.0.1{port}/",
    "https://127.0.0.1{port}/\r\nHost: example.com",
    "https://127.0.0.1\t{port}/",
    "https://%31%32%37.0.0.1{port}/",
    "https://127.0.0.1%00.example.com{port}/",
    # other ports and other machines of ours
    "https://loop.example.com:25/",
    "https://loop.example.com:0443/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal{port}/",
]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A listener at the port that all requests go to, and names that resolve as in ADDRESSES."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in ADDRESSES:
            if str(host).endswith((".example.com", ".internal")):
                raise socket.gaierror("no such name")
            return list(resolve(host, port, *args, **kwargs))
        return [found for each in ADDRESSES[host] for found in resolve(each, port, type=socket.SOCK_STREAM)]

    with listening() as found:
        monkeypatch.setattr(socket, "getaddrinfo", resolved)
        monkeypatch.setattr(outgoing, "PORT", found.port)
        monkeypatch.setattr(outgoing, "CONNECT_SECONDS", 0.5)
        yield found


@pytest.mark.parametrize("with_port", [True, False], ids=["its port", "no port"])
def test_no_form_of_an_address_leads_into_private_space(listener: Listener, with_port: bool) -> None:
    refused = 0
    for form in FORMS:
        with pytest.raises(DeliveryFailed):
            outgoing.post(form.format(port=f":{listener.port}" if with_port else ""), json={})
        refused += 1

    assert (refused >= 60, listener.count) == (True, 0)


def test_without_the_guard_the_same_forms_arrive(listener: Listener) -> None:
    for form in FORMS:
        with suppress(requests.RequestException, ValueError, UnicodeError):
            requests.post(form.format(port=f":{listener.port}"), json={}, timeout=0.5)

    assert listener.count >= 20


def test_without_the_look_at_addresses_names_of_private_ones_arrive(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "is_public", lambda _: True)

    for name in ADDRESSES:
        with suppress(DeliveryFailed):
            outgoing.post(f"https://{name}/hook", json={})

    assert listener.count >= 3


def test_a_name_that_resolves_otherwise_a_moment_later_is_not_asked_again(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[str] = [PUBLIC, "127.0.0.1", "127.0.0.1"]
    resolve = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        address = answers.pop(0) if host == "rebinding.example.com" else host
        return list(resolve(address, port, *args, **kwargs))

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)

    with pytest.raises(DeliveryFailed, match="could not be reached"):  # PUBLIC is outside of the tests
        outgoing.post("https://rebinding.example.com/hook", json={})
    assert (listener.count, len(answers)) == (0, 2)
    with suppress(requests.RequestException):  # one who looks first and then leaves it to requests
        requests.post(f"https://rebinding.example.com:{listener.port}/hook", json={}, timeout=0.5)
    assert listener.count > 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_into_private_space_is_not_followed(
    listener: Listener, settings: Settings, status: int
) -> None:
    with receiving() as receiver:
        receiver.status = status
        receiver.headers = {"Location": f"http://127.0.0.1:{listener.port}/"}
        settings.NOTIFICATION_RECEIVER = receiver.url

        with pytest.raises(DeliveryFailed, match="redirect"):
            outgoing.post("https://hooks.example.com/a", json={})

    assert (len(receiver.got), listener.count) == (1, 0)


def test_the_environment_names_no_proxy(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.port}")

    with pytest.raises(AddressRefused):
        outgoing.post("https://home.example.com/hook", json={})

    assert listener.count == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com:443/services/T0/B0?x=1&y=%20",
        "https://HOOKS.example.co.uk/a",
        "https://xn--bcher-kva.example/a",
    ],
)
def test_ordinary_addresses_are_taken(url: str) -> None:
    assert outgoing.host_of(url) in url.lower()


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(address: str) -> None:
    assert outgoing.is_public(address)


def test_an_answer_without_end_is_cut_off(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()

    outgoing._cut(ours)

    assert theirs.recv(1) == b""
    ours.close()
    theirs.close()
