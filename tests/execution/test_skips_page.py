"""The skip ledger: what bots wished that became no order, and why."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from bot_sdk.skip_reasons import SkipReason
from execution.words import SKIPS
from subscriptions.models import Subscription
from tests.factories import make_cycle, make_subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(client: Client, bob: User) -> Subscription:
    client.force_login(bob)
    return make_subscription(bob)


def page(client: Client, subscription: Subscription, query: str = "") -> str:
    return client.get(f"{subscription.get_absolute_url()}skips/{query}").content.decode()


def test_every_reason_has_words() -> None:
    assert set(SKIPS) == set(SkipReason)


def test_reasons_are_counted_and_one_can_be_chosen(client: Client, subscription: Subscription) -> None:
    for age in range(3):
        make_cycle(subscription, age=age, skip="cool_down", message=f"cooling {age}")
    make_cycle(subscription, age=3, skip="no_position", message="nothing there")
    make_cycle(subscription, age=4, message="a cycle with an order")

    everything, chosen = page(client, subscription), page(client, subscription, "?reason=no_position")

    assert everything.index("cool_down") < everything.index("no_position")
    assert all(words in everything for words in ("cooling 0", "nothing there", SKIPS["cool_down"]))
    assert "a cycle with an order" not in everything
    assert ("nothing there" in chosen, "cooling 0" in chosen) == (True, False)


@pytest.mark.parametrize("query", ["?reason=%00", "?reason=x' OR 1", "?page=999", "?page=x"])
def test_nonsense_shows_all_or_the_last_page(client: Client, subscription: Subscription, query: str) -> None:
    make_cycle(subscription, skip="cool_down", message="cooling")

    assert "cooling" in page(client, subscription, query)


def test_without_a_skip_the_page_says_so(client: Client, subscription: Subscription) -> None:
    assert "Nothing was skipped" in page(client, subscription)


def test_a_stranger_finds_nothing(client: Client, subscription: Subscription, charlie: User) -> None:
    client.force_login(charlie)

    assert client.get(f"{subscription.get_absolute_url()}skips/").status_code == 404
    client.logout()
    assert client.get(f"{subscription.get_absolute_url()}skips/").status_code == 302


@pytest.mark.parametrize("skipped", [1, 24])
def test_the_page_takes_as_many_queries_for_many(
    client: Client,
    subscription: Subscription,
    django_assert_num_queries: DjangoAssertNumQueries,
    skipped: int,
) -> None:
    for age in range(skipped):
        make_cycle(subscription, age=age, skip="cool_down")

    with django_assert_num_queries(6):  # session, person, subscription, counts, how many, cycles
        page(client, subscription)
