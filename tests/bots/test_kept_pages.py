"""Lists that many ask for at once are made once for visitors, and tell no one about anybody else."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.moment import KEPT_SECONDS
from bots.models import Bot
from tests.factories import NOON, make_bot


@pytest.fixture(autouse=True)
def kept(settings: Settings) -> None:
    locmem = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = settings.CACHES | {"pages": {"BACKEND": locmem}}
    caches["pages"].clear()


def test_what_is_withdrawn_is_gone_for_visitors_within_the_bound(client: Client, alice: User) -> None:
    bot = make_bot(alice, name="Here Today")
    pages = (bot.get_absolute_url(), f"{bot.get_absolute_url()}records/", f"{bot.get_absolute_url()}reviews/")
    with time_machine.travel(NOON, tick=False) as clock:
        assert "Here Today" in client.get("/").text
        assert all(client.get(page).status_code == 200 for page in pages)
        Bot.objects.filter(pk=bot.pk).update(state=Bot.State.SUSPENDED)
        assert "Here Today" in client.get("/").text
        clock.shift(timedelta(seconds=KEPT_SECONDS + 1))

        assert "Here Today" not in client.get("/").text
        assert all(client.get(page).status_code == 404 for page in pages)


@pytest.mark.parametrize("address", ["/", "/bots/calm/"])
def test_a_kept_page_is_nobodys_own(alice: User, bob: User, address: str) -> None:
    make_bot(alice, slug="calm")
    visitor, signed_in = Client(), Client()
    signed_in.force_login(bob)

    for browser in (signed_in, visitor, signed_in):
        answer = browser.get(address)
        assert ("bob" in answer.text) == (browser is signed_in)
        assert browser is signed_in or not answer.cookies
        assert "Cookie" in answer["Vary"]
        assert "Content-Security-Policy" in answer
    farewell = signed_in.post("/accounts/logout/", follow=True)
    assert "You have signed out" in farewell.text
    assert "You have signed out" not in Client().get("/").text


@time_machine.travel(NOON, tick=False)
def test_addresses_and_parts_are_kept_apart(client: Client, alice: User) -> None:
    bot = make_bot(alice, name="Crosser")

    part = client.get("/", headers={"HX-Target": "bots"})
    records = f"{bot.get_absolute_url()}records/"
    part_of_page, page = client.get(records, headers={"HX-Request": "true"}), client.get(records)
    whole = client.get("/")
    other = client.get("/", {"q": "unheard of"})

    assert "<html" in whole.text and "<html" not in part.text
    assert "<html" in page.text and "<html" not in part_of_page.text
    assert "Crosser" in whole.text and "No bot matches" in other.text
    assert client.get("/").text == whole.text
    assert client.get("/", {"q": "unheard of"}).text == other.text
    assert client.get("/", headers={"HX-Target": "bots"}).headers == part.headers


def test_a_card_that_is_remembered_shows_what_has_changed(client: Client, alice: User) -> None:
    client.force_login(alice)
    bot = make_bot(alice, tagline="Buys low.")
    assert "Buys low." in client.get("/").text

    for facts in ({"tagline": "Sells high."}, {"price_per_month": 7}, {"trading_pairs": ["ADA/EUR"]}):
        Bot.objects.filter(pk=bot.pk).update(**facts)
    shown = client.get("/").text

    assert "Sells high." in shown and "7.00" in shown and "ADA/EUR" in shown
