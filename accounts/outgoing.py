"""Requests to addresses that people gave us, which may lead to nowhere but the public internet.

An address is an https URL with a plain name in a form that all parsers read alike. The name is resolved once,
each address that it has must be public, and the connection goes to one of those very addresses: a name that
resolves otherwise a moment later changes nothing. A redirect is a failure and is not followed.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from accounts.errors import AddressRefused, DeliveryFailed

PORT = 443
CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0  # between two pieces of an answer
MOST_SECONDS = 10.0  # from the connection to the end of the answer
URL_LENGTH = 2000
NOT_PUBLIC = "It leads into a private network, where we do not send anything."
EXPECTED = (
    "Expected https://, a host's name and at most :443 and a path, such as https://hooks.example.com/abc."
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LAST_LABEL = (
    r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])"  # no number: decimal, octal and hexadecimal addresses end in one
)
_URL = re.compile(
    rf"https://(?P<host>(?:{_LABEL}\.)+{_LAST_LABEL})(?::443)?(?:[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?",
    re.IGNORECASE | re.ASCII,
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # the rest of IPv6 holds mapped and translated addresses


def host_of(url: str) -> str:
    """Return the host of a URL to which we may send. Raises AddressRefused for any other form."""
    match = _URL.fullmatch(url)
    if match is None or len(url) > URL_LENGTH:
        raise AddressRefused(EXPECTED)
    return match["host"].lower()


def is_public(address: str) -> bool:
    """Whether an IP address, as text, belongs to the public internet and stands for no other address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    return ip in _GLOBAL_UNICAST and ip.is_global and ip.sixtofour is None and ip.teredo is None


def post(
    url: str,
    *,
    data: Any = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    **_of_the_library: object,
) -> requests.Response:
    """Post to a public address and return the answer's head, when it is a success.

    What else a library would pass on to requests is decided here. Raises AddressRefused, and DeliveryFailed
    with words that hold nothing of the URL.
    """
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no password of the environment's
        session.adapters.clear()
        session.mount("https://", PublicOnly())
        try:
            response = session.post(
                url,
                data=data,
                json=json,
                headers=headers,
                params=params,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,  # the body is of no use, and may have no end
            )
        except requests.Timeout as error:
            raise DeliveryFailed("It did not answer in time.") from error
        except requests.exceptions.SSLError as error:
            raise DeliveryFailed("Its certificate is not valid.") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise AddressRefused(EXPECTED) from error
        except requests.RequestException as error:
            raise DeliveryFailed("It could not be reached.") from error
        response.close()
    if response.is_redirect or response.is_permanent_redirect:
        raise DeliveryFailed("It answered with a redirect, which is not followed: enter the final address.")
    if not 200 <= response.status_code < 300:
        raise DeliveryFailed(f"It answered with status {response.status_code}.")
    return response


class PublicConnection(HTTPSConnection):
    """A connection to one of the addresses that its host has, if all of them are public."""

    _timer: Timer | None = None

    def connect(self) -> None:
        super().connect()
        self._timer = Timer(MOST_SECONDS, _cut, [self.sock])
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().close()

    def _new_conn(self) -> socket.socket:
        found = socket.getaddrinfo(self.host, PORT, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        if not addresses or not all(map(is_public, addresses)):
            raise AddressRefused(NOT_PUBLIC)
        failure: OSError | None = None
        for address in addresses[:2]:
            try:
                return socket.create_connection((address, PORT), timeout=CONNECT_SECONDS)
            except OSError as error:
                failure = error
        assert failure is not None
        raise failure


class PublicPool(HTTPSConnectionPool):
    ConnectionCls = PublicConnection


class PublicOnly(HTTPAdapter):
    """Let requests go to public addresses, or in tests to NOTIFICATION_RECEIVER in their place."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        if not settings.NOTIFICATION_RECEIVER:
            self.poolmanager.pool_classes_by_scheme = {"https": PublicPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        url = request.url or ""
        host = host_of(url)
        if settings.NOTIFICATION_RECEIVER:
            request = request.copy()
            request.headers["Host"] = host
            path = url.partition("//")[2].partition("/")[2]
            request.url = f"{settings.NOTIFICATION_RECEIVER}/{path}"
        return super().send(request, *args, **kwargs)


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        # below TLS, whose state belongs to the thread that waits for the answer
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
