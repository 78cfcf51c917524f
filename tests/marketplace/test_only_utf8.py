import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from importlib import import_module
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("charset", ["hex", "raw_unicode_escape", "utf-7", "latin-1"])
@pytest.mark.parametrize("address", ["/accounts/login/", "/", "/api/token/"])
def test_a_request_in_another_encoding_is_refused(charset: str, address: str) -> None:
    body = b'--B\r\nContent-Disposition: form-data; name="login"\r\n\r\n\\ud800\r\n--B--\r\n'
    kind = f"multipart/form-data; boundary=B; charset={charset}"

    answer = Client().generic("POST", address, body, content_type=kind)

    assert answer.status_code == 400


@pytest.mark.parametrize("charset", ["UTF-8", "utf8", "no-such-one"])
def test_utf8_by_any_name_is_taken(charset: str) -> None:
    assert Client().generic("GET", "/", content_type=f"text/plain; charset={charset}").status_code == 200


@pytest.fixture
def served() -> Iterator[HTTPConnection]:
    """The application as the web server has it, over HTTP."""
    application = import_module(
        "marketplace.wsgi"
    ).application  # built now that the static files' folder is there
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        yield connection
        connection.close()
        thread.join()


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None: ...


@pytest.mark.parametrize("charset", ["hex", "base64", "utf-7", "rot13", "idna", "undefined"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_encoding_that_is_none_of_text_is_refused_before_the_query_is_read(
    served: HTTPConnection, charset: str, method: str
) -> None:
    served.request(method, "/api/token/?q=a%ff", b"", {"Content-Type": f"text/html; charset={charset}"})

    answer = served.getresponse()

    assert answer.status == 400
    assert json.load(answer)["error"]["code"] == "invalid"
