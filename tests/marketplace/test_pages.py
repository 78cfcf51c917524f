import subprocess
import sys

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path
from pytest_django.fixtures import Settings

from accounts.models import User

HEAVY = {"ccxt", "numpy", "pandas", "pyarrow", "talib", "pandas_ta", "numba"}


def fail(request: HttpRequest) -> HttpResponse:
    secret = "hunter2"
    raise RuntimeError(f"a bug near {secret}")


def refuse(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("the reason stays inside")


def misunderstand(request: HttpRequest) -> HttpResponse:
    raise BadRequest("the reason stays inside")


urlpatterns = [
    path("fail/", fail),
    path("refuse/", refuse),
    path("misunderstand/", misunderstand),
    path("", include("marketplace.urls")),
]


@pytest.mark.django_db
def test_health_is_ok_when_database_and_redis_answer(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_health_is_unavailable_without_redis_and_tells_no_detail(client: Client, settings: Settings) -> None:
    closed = "redis://127.0.0.1:1/0"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": closed}
    }

    response = client.get("/healthz")

    assert (response.status_code, response.content) == (503, b"unavailable")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status", "title"),
    [
        ("/nowhere/", 404, "There is nothing here"),
        ("/refuse/", 403, "This is not open to you"),
        ("/misunderstand/", 400, "We did not understand this request"),
        ("/fail/", 500, "Something failed on our side"),
    ],
)
@override_settings(ROOT_URLCONF=__name__)
def test_each_error_has_a_plain_page_without_inside_information(
    address: str, status: int, title: str
) -> None:
    response = Client(raise_request_exception=False).get(address)

    html = response.content.decode()
    assert response.status_code == status
    assert title in html
    assert 'href="/"' in html
    for inside in ("hunter2", "Traceback", "RuntimeError", "the reason stays inside", __name__):
        assert inside not in html


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_with_advice() -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "bob"})

    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()


@pytest.mark.django_db
def test_who_signs_in_after_pressing_a_button_is_told_that_nothing_was_done(
    client: Client, mona: User
) -> None:
    address = "/subscriptions/1/pause/"
    assert client.post(address).headers["Location"].endswith(f"?next={address}")
    client.force_login(mona)

    response = client.get(address)

    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert "Nothing was done" in response.content.decode()


@pytest.mark.parametrize(("address", "has_traceback"), [("/refuse/", False), ("/fail/", True)])
@override_settings(ROOT_URLCONF=__name__)
def test_only_what_is_broken_leaves_a_traceback_in_the_log(
    address: str, has_traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    Client(raise_request_exception=False).get(address)

    [record] = [each for each in caplog.records if each.name == "django.request"]
    assert address in record.getMessage()
    assert bool(record.exc_info) is has_traceback
    assert not any(each.exc_info for each in caplog.records if each is not record)


@override_settings(ROOT_URLCONF=__name__)
def test_the_page_for_our_own_failure_needs_no_database() -> None:
    # without the django_db mark every query raises
    response = Client(raise_request_exception=False).get("/fail/")

    assert "Something failed on our side" in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/accounts/signup/", "/nowhere/"])
def test_pages_have_a_strict_policy_and_nothing_inline(client: Client, address: str) -> None:
    response = client.get(address)

    html = response.content.decode()
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "<style" not in html and " style=" not in html and " onclick=" not in html
    assert "<script>" not in html


@pytest.mark.django_db
def test_a_visitor_is_offered_sign_in_and_sign_up(client: Client) -> None:
    html = client.get("/").content.decode()

    assert 'href="/accounts/login/"' in html and 'href="/accounts/signup/"' in html
    assert "/dashboard/" not in html and "/admin/" not in html


def test_a_trader_is_offered_their_bots_and_a_button_to_sign_out(client: Client, bob: User) -> None:
    client.force_login(bob)

    html = client.get("/").content.decode()

    assert 'href="/dashboard/"' in html
    assert '<form method="post" action="/accounts/logout/">' in html
    assert "/admin/" not in html


def test_staff_are_offered_the_admin(client: Client, mona: User) -> None:
    client.force_login(mona)

    assert 'href="/admin/"' in client.get("/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("source", "is_told"), [("simulator", True), ("live", False)])
def test_a_simulated_market_is_called_one(
    client: Client, settings: Settings, source: str, is_told: bool
) -> None:
    settings.MARKET_DATA = source

    assert ("Prices here come from a simulated market." in client.get("/").content.decode()) == is_told


def test_web_processes_do_not_load_what_only_workers_need() -> None:
    script = "import sys, django; django.setup(); import marketplace.urls; print(*sys.modules)"

    # a fresh interpreter: this one has loaded what other tests need
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert HEAVY.isdisjoint(result.stdout.split())
