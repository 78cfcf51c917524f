"""Pages and lists cost as many queries in a full marketplace as in a small one, and find by an index."""

import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import User
from bots.models import Bot
from marketplace import load
from subscriptions.models import Subscription
from tests.factories import Program

PAGES = {
    "catalogue": "/",
    "a search": "/?q=averages&sort=price",
    "a page of a category": "/?category=momentum&page=2",
    "a bot": "/bots/load-bot-1/",
    "a developer": "/developers/by/load-developer-1/",
    "a bot's records": "/bots/load-bot-1/records/",
    "dashboard": "/dashboard/",
    "the dashboard's news": "/dashboard/live/",
    "what is stopped": "/dashboard/?show=stopped",
    "bots for programs": "/api/bots/",
    "subscriptions for programs": "/api/subscriptions/",
}

LARGE = ("subscriptions_subscription", "execution_cycle", "execution_position", "exchanges_candle")
SCANNED_WHOLE = rf"Seq Scan on ({'|'.join(LARGE)})"


def queries_of(address: str) -> list[str]:
    """The SQL of a page as the trader with the most subscriptions sees it, or as their program does."""
    trader = User.objects.get(username=load.BUSY_TRADER)
    browser: Client = Program(trader) if address.startswith("/api/") else Client()
    if not isinstance(browser, Program):
        browser.force_login(trader)
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(address)
    assert answer.status_code == 200, address
    return [query["sql"] for query in queries.captured_queries]


def counts(bots: int, subscriptions: int) -> dict[str, int]:
    """How many queries each page takes in a marketplace of that size, which is gone again afterwards."""
    undo = transaction.savepoint()
    load.fill(bots=bots, subscriptions=subscriptions)
    found = {name: len(queries_of(address)) for name, address in PAGES.items()}
    transaction.savepoint_rollback(undo)
    return found


@pytest.mark.django_db
def test_no_page_asks_more_of_a_database_with_more_rows() -> None:
    few = counts(bots=130, subscriptions=20)

    assert counts(bots=400, subscriptions=900) == few
    assert max(few.values()) <= 20


@pytest.mark.django_db
def test_a_database_is_filled_only_by_its_name_and_once(settings: Settings) -> None:
    settings.DEBUG = False
    name = connection.settings_dict["NAME"]

    for guess in ("", "marketplace-of-tomorrow"):
        with pytest.raises(CommandError, match=f"say --into {name}"):
            call_command("seed_load", bots=5, subscriptions=5, into=guess)
    assert not Bot.objects.exists()
    call_command("seed_load", bots=5, subscriptions=5, into=name)
    with pytest.raises(CommandError, match="already"):
        call_command("seed_load", bots=5, subscriptions=5, into=name)

    assert (Bot.objects.count(), Subscription.objects.count()) == (5, 5)


@pytest.mark.release
@pytest.mark.django_db
def test_a_full_marketplace_is_read_by_its_indexes() -> None:
    load.fill(bots=10_000, subscriptions=100_000)

    for name, address in PAGES.items():
        for sql in queries_of(address):
            plan = plan_of(sql)
            assert not re.search(SCANNED_WHOLE, plan), f"{name} reads a whole table:\n{sql}\n{plan}"


def plan_of(sql: str) -> str:
    if not sql.startswith("SELECT"):
        return ""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql.replace("%", "%%"), [])
        return "\n".join(line for (line,) in cursor.fetchall())
