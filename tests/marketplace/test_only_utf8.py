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
