"""A trader sees on an account's page how it compares with our books."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from exchanges.models import ExchangeAccount
from tests.factories import make_exchange_account, make_reconciliation

PAGES = ("execution:reconciliation", "execution:reconciliations")


@pytest.fixture
def account(bob: User) -> ExchangeAccount:
    return make_exchange_account(bob, label="First")


@pytest.fixture
def browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def text(browser: Client, name: str, account: ExchangeAccount) -> str:
    answer = browser.get(reverse(name, args=[account.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_accounts_page_fetches_the_newest_comparison_and_links_to_all(
    browser: Client, account: ExchangeAccount
) -> None:
    page = browser.get(account.get_absolute_url()).content.decode()

    assert f'hx-get="{reverse("execution:reconciliation", args=[account.pk])}"' in page
    assert f'href="{reverse("execution:reconciliations", args=[account.pk])}"' in page


def test_a_paper_account_is_compared_with_nothing(browser: Client, bob: User) -> None:
    paper = make_exchange_account(bob, environment="PAPER")

    assert "Beside our books" not in browser.get(paper.get_absolute_url()).content.decode()


def test_the_part_shows_the_newest_alone_and_no_page_around_it(
    browser: Client, account: ExchangeAccount
) -> None:
    make_reconciliation(account, at=timezone.now() - timedelta(minutes=10))
    make_reconciliation(account, is_clean=True, findings=[])

    part = text(browser, "execution:reconciliation", account)

    assert "Fits" in part
    assert "Does not fit" not in part
    assert "<html" not in part


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Does not fit"),
        ({"is_clean": True, "findings": []}, "Fits"),
        ({"is_clean": True, "is_judged": False, "findings": []}, "Postponed"),
    ],
)
def test_the_page_shows_each_comparison_and_what_was_found(
    browser: Client, account: ExchangeAccount, values: dict[str, object], words: str
) -> None:
    row = make_reconciliation(account, **values)

    page = text(browser, "execution:reconciliations", account)

    assert words in page
    assert all(finding["says"] in page for finding in row.findings)


@pytest.mark.parametrize("name", PAGES)
def test_before_the_first_comparison_the_pages_say_when_it_comes(
    browser: Client, account: ExchangeAccount, name: str
) -> None:
    assert "every ten minutes" in text(browser, name, account)


@pytest.mark.parametrize("name", PAGES)
def test_others_and_strangers_see_nothing(
    client: Client, account: ExchangeAccount, charlie: User, name: str
) -> None:
    url = reverse(name, args=[account.pk])
    assert client.get(url).status_code == 302

    client.force_login(charlie)

    assert client.get(url).status_code == 404
    assert client.post(url).status_code == 405


def test_what_was_found_is_shown_as_text(browser: Client, account: ExchangeAccount) -> None:
    attack = "<script>alert(1)</script>"
    make_reconciliation(account, findings=[{"kind": "short", "subject": "X", "says": attack, "trades": []}])

    assert attack not in text(browser, "execution:reconciliations", account)


def test_a_hundred_comparisons_take_as_many_queries_as_one(
    browser: Client, account: ExchangeAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        make_reconciliation(account)

    with django_assert_num_queries(4):  # session, person, account, comparisons
        text(browser, "execution:reconciliations", account)
