"""A subscription's open orders, its closed trades, what its bot printed, and all of it as files."""

import csv
from decimal import Decimal

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEntry, User
from execution.models import Cycle, Order
from subscriptions.models import Subscription
from tests.execution.found import FORMULA
from tests.execution.test_watch_page import ATTACK, buy, text, url_of
from tests.factories import (
    Program,
    make_bot,
    make_cycle,
    make_fill,
    make_order,
    make_subscription,
    sign_in_staff,
    trader_of,
)

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
FILES = ["cycles.csv", "orders.csv", "trades.csv"]


@pytest.fixture
def subscription(client: Client, bob: User) -> Subscription:
    client.force_login(bob)
    return make_subscription(bob, bot=make_bot(name=FORMULA, slug="steady"))


def sell(subscription: Subscription, price: int, age: int, reason: str = "RSI overbought") -> None:
    cycle = make_cycle(subscription, age=age, action="SELL", signal_action="SELL", reason=reason)
    order = make_order(cycle, side="SELL", reason=reason)
    cost = price * order.amount
    make_fill(order, price=price, cost=cost, fee=cost / 1000)


def rows_of(client: Client, subscription: Subscription, name: str) -> list[dict[str, str]]:
    answer = client.get(url_of(subscription, name))
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    expected = f'attachment; filename="{name.removesuffix(".csv")}-steady-{subscription.pk}.csv"'
    assert answer.headers["Content-Disposition"] == expected
    return list(csv.DictReader(answer.getvalue().decode().splitlines()))


def test_open_orders_stand_apart_from_those_that_are_over(client: Client, subscription: Subscription) -> None:
    buy(subscription, age=1)
    quiet = text(client, url_of(subscription))
    resting = {"state": Order.State.OPEN, "kind": "LIMIT", "limit_price": Decimal("58123.45")}
    make_order(make_cycle(subscription), **resting)

    page = text(client, url_of(subscription))

    opened, over = page.split('id="open-orders"')[1].split('id="orders"')
    assert 'id="open-orders" hx-swap-oob="true" hidden' in quiet
    assert ("58\N{NARROW NO-BREAK SPACE}123.45" in opened, "58\N{NARROW NO-BREAK SPACE}123.45" in over) == (
        True,
        False,
    )
    assert ("Filled</td>" in over, "Open</td>" in over) == (True, False)


def test_trades_are_round_trips_with_their_profit(client: Client, subscription: Subscription) -> None:
    buy(subscription, age=4)
    sell(subscription, 61_000, age=3, reason=ATTACK)
    buy(subscription, age=2)

    page, part = (
        text(client, url_of(subscription, "trades/")),
        client.get(url_of(subscription, "trades/"), headers=HTMX).content.decode(),
    )

    # 610 less 0.61, against 600 and 0.60
    for shown in (page, part):
        assert shown.count('data-label="Profit"') == 1
        assert "+8.79" in shown
        assert ATTACK not in shown
    assert ("<html" in page, "<html" in part) == (True, False)
    [row] = rows_of(client, subscription, "trades.csv")
    assert (row["pnl"], row["entry_price"], row["exit_price"], row["fees"]) == (
        "8.79",
        "60000",
        "61000",
        "1.21",
    )
    assert row["exit_reason"] == ATTACK


def test_without_a_sale_there_is_no_trade(client: Client, subscription: Subscription) -> None:
    buy(subscription)

    assert "No closed trade yet" in text(client, url_of(subscription, "trades/"))
    assert rows_of(client, subscription, "trades.csv") == []


def test_what_the_bot_printed_is_bounded_and_updates_itself(
    client: Client, subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_cycle(subscription, age=1, log=f"{ATTACK} first\n{'x' * 5000} last")
    make_cycle(subscription, age=2)
    url = url_of(subscription, "logs/")

    page = text(client, url)
    seen = client.get(url).context["seen"]
    quiet = client.get(url, {"seen": seen}, headers=HTMX)
    make_cycle(subscription, log="news")
    with django_assert_num_queries(5):  # session, person, subscription, newest cycle, those that printed
        news = client.get(url, {"seen": seen}, headers=HTMX)

    assert ("first" in page, "last" in page, ATTACK in page, page.count("<pre")) == (True, False, False, 1)
    assert quiet.status_code == 204
    assert "news" in news.content.decode()
    assert "<html" not in news.content.decode()


def test_files_have_every_row_in_utc_and_no_formula(client: Client, subscription: Subscription) -> None:
    for age in range(3, 30):
        make_cycle(subscription, age=age, reason=FORMULA, message="+1", value=-2.5)
    fill = buy(subscription, age=2)
    make_fill(fill.order, trade_id="second", amount=Decimal("0.001"), cost=60, fee=Decimal("0.06"))
    make_order(make_cycle(subscription, age=1), state=Order.State.REJECTED, message="-1 is no amount")

    cycles, orders = (rows_of(client, subscription, name) for name in ("cycles.csv", "orders.csv"))

    assert len(cycles) == 29
    first = cycles[0]
    assert (first["reason"], first["message"], first["value"]) == (f"'{FORMULA}", "'+1", "-2.5")
    oldest = Cycle.objects.of(subscription).earliest("candle_opened_at")
    assert first["candle_closed_at"] == f"{oldest.candle_closed_at:%Y-%m-%dT%H:%M:%SZ}"
    assert [row["trade_id"] for row in orders] == [fill.trade_id, "second", ""]
    assert [row["fill_cost"] for row in orders] == ["600", "60", ""]
    assert orders[-1]["message"] == "'-1 is no amount"
    assert cycles[-2]["client_order_id"] == orders[0]["client_order_id"]


@pytest.mark.parametrize("part", ["logs/", "trades/", *FILES])
def test_what_was_done_is_for_the_owner(
    client: Client, charlie: User, mona: User, subscription: Subscription, part: str
) -> None:
    url = url_of(subscription, part)
    assert client.post(url).status_code == 405
    client.logout()
    assert client.get(url).headers["Location"] == f"/accounts/login/?next={url}"
    for person in (charlie, subscription.bot.developer, mona):  # mona without her second factor
        client.force_login(person)
        assert client.get(url).status_code == 404
    assert not AuditEntry.objects.exists()


def test_a_program_gets_the_files_of_the_page(
    client: Client, bob: User, charlie: User, subscription: Subscription
) -> None:
    buy(subscription, age=2)
    sell(subscription, 61_000, age=1, reason=FORMULA)
    as_csv = {"Accept": "text/csv"}

    for name in FILES:
        on_page = client.get(url_of(subscription, name))
        address = f"/api{url_of(subscription, name)}"
        told = Program(bob, is_read_only=True).get(address, headers=as_csv)
        assert isinstance(told, StreamingHttpResponse)
        assert isinstance(on_page, StreamingHttpResponse)
        assert (told.headers["Content-Disposition"], told.headers["Content-Type"]) == (
            on_page.headers["Content-Disposition"],
            "text/csv; charset=utf-8",
        )
        content = told.getvalue()
        assert content == on_page.getvalue()
        assert f"'{FORMULA}".encode() in content.replace(b'""', b'"')
        refused = Program(charlie).get(address, headers=as_csv)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert Program(bob).get(f"/api{url_of(subscription, 'fills.csv')}").status_code == 404


def test_trades_that_the_books_do_not_give_are_no_file(client: Client, subscription: Subscription) -> None:
    sell(subscription, 61_000, age=1)

    assert client.get(url_of(subscription, "trades.csv")).status_code == 409
    told = Program(trader_of(subscription)).get(f"/api{url_of(subscription, 'trades.csv')}")
    assert (told.status_code, told.json()["error"]["code"]) == (409, "conflict")


def test_what_a_superuser_exports_is_written_down(
    client: Client, mona: User, subscription: Subscription
) -> None:
    buy(subscription)
    sign_in_staff(client, mona)

    for name in FILES:
        assert client.get(url_of(subscription, name)).status_code == 200
    assert client.get("/subscriptions/999999/cycles.csv").status_code == 404

    entries = AuditEntry.objects.order_by("number").values_list("actor_name", "action", "object_id")
    assert list(entries) == [("mona", "subscription.export", str(subscription.pk))] * 3
