import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from bot_sdk.parameters import Parameter
from bots.models import Bot, BotVersion
from tests.factories import Program, make_bot

pytestmark = pytest.mark.django_db


def test_anyone_lists_the_bots_that_can_be_subscribed_to(client: Client) -> None:
    shown = make_bot(name="Shown", price_per_month="9.90")
    hidden = make_bot()
    Bot.objects.filter(pk=hidden.pk).update(state=Bot.State.DRAFT)

    found = client.get("/api/bots/").json()

    assert found["count"] == 1
    [bot] = found["results"]
    assert (bot["id"], bot["name"], bot["price_per_month"]) == (shown.pk, "Shown", "9.90")
    assert client.get(f"/api/bots/{shown.pk}/").json() == bot


def test_a_hidden_bot_looks_like_a_missing_one(client: Client) -> None:
    hidden = make_bot()
    Bot.objects.filter(pk=hidden.pk).update(state=Bot.State.SUSPENDED)

    for address in ("/api/bots/{}/", "/api/bots/{}/versions"):
        other, missing = client.get(address.format(hidden.pk)), client.get(address.format(0))
        assert (other.status_code, other.content) == (404, missing.content)


def test_versions_say_what_can_be_set(client: Client) -> None:
    bot = make_bot(parameters=[Parameter("period", "integer", 14, "Period", 2, 100)])
    BotVersion.objects.create(bot=bot, number="v2.0.0", state=BotVersion.State.DRAFT)

    [version] = client.get(f"/api/bots/{bot.pk}/versions").json()["results"]

    assert version["number"] == "v1.0.0"
    assert version["parameters"][0]["name"] == "period"
    assert version["parameters"][0]["minimum"] == 2


def test_nobody_but_the_developer_writes_into_the_catalogue(client: Client, bob: User) -> None:
    address = f"/api/bots/{make_bot().pk}/"

    anonymous = [getattr(client, method)(address).status_code for method in ("put", "patch", "delete")]
    stranger = [getattr(Program(bob), method)(address).status_code for method in ("put", "patch", "delete")]

    assert anonymous == [401, 401, 401]
    assert stranger == [405, 404, 404]


def test_a_list_says_of_a_bot_what_its_own_page_says(client: Client) -> None:
    bot = make_bot(price_per_month=7, promised_trades_per_week=2, trading_pairs=["BTC/USDT"])

    [listed] = client.get("/api/bots/").json()["results"]

    assert listed == client.get(f"/api/bots/{bot.pk}/").json()
    assert listed["price_per_month"] == "7.00"


def test_more_bots_take_no_more_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_bot()

    with django_assert_num_queries(2):
        client.get("/api/bots/")
