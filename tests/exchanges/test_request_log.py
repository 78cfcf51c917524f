from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from accounts.models import User
from exchanges import request_log
from exchanges.ccxt_gateway import CcxtGateway
from exchanges.gateways import shared_budget, shared_redis
from exchanges.simulator.server import serve
from tests.factories import sign_in_staff

PAGE = "/staff/exchange-requests/"


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    server = shared_redis()
    for name in server.scan_iter("asked:*"):
        server.delete(name)


def ask(exchange: str, times: int) -> None:
    with serve(has_limits=False) as url:
        gateway = CcxtGateway(exchange, url, shared_budget(exchange))
        for _ in range(times):
            gateway.fetch_ticker("BTC/USDT")


def test_each_request_that_leaves_is_counted_by_its_kind() -> None:
    ask("COINBASE", 3)

    current, *earlier = request_log.last_hours(shared_redis(), "COINBASE")
    ticker = "GET /api/v3/brokerage/market/products/*/ticker"
    asked = current.asked + earlier[0].asked  # an hour may have ended meanwhile
    assert asked[ticker] == 3
    assert asked["GET /api/v3/brokerage/market/products"] == 2
    assert request_log.last_hours(shared_redis(), "KRAKEN")[0].asked.total() == 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v3/klines", "/api/v3/klines"),
        ("/0/private/AddOrder", "/0/private/AddOrder"),
        ("/api/v3/brokerage/orders/historical/0000-51ed", "/api/v3/brokerage/orders/historical/*"),
        ("/api/v3/ticker/24hr", "/api/v3/ticker/*"),
    ],
)
def test_names_are_left_out_of_a_kind(path: str, kind: str) -> None:
    assert request_log.kind_of(path) == kind


def test_counts_of_another_day_are_gone() -> None:
    server, old = shared_redis(), datetime.now(UTC) - timedelta(hours=30)
    server.hincrby(f"asked:KRAKEN:{old:%Y-%m-%dT%H}", "GET /0/public/Time", 5)

    assert sum(hour.asked.total() for hour in request_log.last_hours(server, "KRAKEN")) == 0


def test_staff_see_what_was_asked_and_who_told_us_to_stop(
    client: Client, mona: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ask("BINANCE", 2)
    shared_budget("KRAKEN").halt(90)
    sign_in_staff(client, mona)

    with django_assert_num_queries(3):  # one of them for the second factor
        html = client.get(PAGE).content.decode()

    assert "GET /api/v3/ticker/*" in html
    assert "3 in 24 hours" in html
    assert "told to stop, " in html
    assert html.count("Nothing was asked") == 2


def test_others_do_not_find_the_page(client: Client, bob: User) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(bob)
    assert client.get(PAGE).status_code == 404
    assert client.post(PAGE).status_code == 405


def test_without_redis_the_page_says_so(client: Client, mona: User, settings: Settings) -> None:
    sign_in_staff(client, mona)
    settings.REDIS_URL = "redis://127.0.0.1:1"

    assert "The counts cannot be read" in client.get(PAGE).content.decode()
