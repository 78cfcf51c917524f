"""A trader's exchange accounts on pages, from which no secret ever comes back."""

import base64
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import User
from exchanges.accounts import MOST_ACCOUNTS, UNSETTLED, replace_keys
from exchanges.balances import store_balances
from exchanges.credentials import Credentials
from exchanges.gateway import Balance
from exchanges.models import Exchange, ExchangeAccount
from exchanges.vault import opened
from execution.models import NOT_FINAL, Order
from marketplace import celery_app
from subscriptions.models import Subscription
from tests.factories import (
    PASSWORD,
    give_password,
    make_cycle,
    make_exchange_account,
    make_order,
    make_subscription,
    sign_in_staff,
)

KEY, SECRET = "CanaryKey" + "k" * 51 + "hint", "CanarySecret" + "s" * 52
TYPED = {
    "label": "Small bots",
    "exchange": "BINANCE",
    "environment": "TESTNET",
    "api_key": KEY,
    "secret": SECRET,
}
LIST, ADD, KEYS = "/exchange-accounts/", "/exchange-accounts/add/", "/exchange-accounts/add/keys/"


@pytest.fixture
def browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    give_password(client)
    return client


@pytest.fixture
def account(bob: User) -> ExchangeAccount:
    return make_exchange_account(bob, label="First", api_key=KEY, secret=SECRET)


def sent_tasks() -> list[tuple[str, list[int]]]:
    """What waits at the broker: names and positional arguments."""
    with celery_app.connection_for_read() as broker:
        waiting = [json.loads(text) for text in broker.default_channel.client.lrange("celery", 0, -1)]
    return [
        (message["headers"]["task"], json.loads(base64.b64decode(message["body"]))[0]) for message in waiting
    ]


@pytest.fixture
def empty_queue() -> Iterator[None]:
    celery_app.control.purge()
    yield
    celery_app.control.purge()


# --- the list -----------------------------------------------------------------------------------------


def test_the_list_shows_own_accounts_by_name_state_and_hint(
    browser: Client, account: ExchangeAccount, charlie: User
) -> None:
    make_exchange_account(charlie, label="Not yours")

    page = browser.get(LIST).content.decode()

    assert "First" in page
    assert "…hint" in page
    assert "Ready" in page
    assert "Not yours" not in page


def test_an_empty_list_says_where_to_go(browser: Client) -> None:
    page = browser.get(LIST).content.decode()

    assert "No exchange account yet" in page
    assert f'href="{ADD}"' in page


def test_the_list_takes_as_many_queries_with_many_accounts(
    browser: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        make_exchange_account(bob)

    with django_assert_num_queries(3):  # session, person, accounts
        browser.get(LIST)


# --- adding -------------------------------------------------------------------------------------------


def test_an_account_is_stored_sealed_and_its_check_is_asked_for(
    browser: Client,
    bob: User,
    empty_queue: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(ADD, TYPED | {"api_key": f" {KEY}\n"})

    account = ExchangeAccount.objects.get(owner=bob)
    assert answer.headers["Location"] == account.get_absolute_url()
    assert (account.state, account.api_key_hint) == ("UNCHECKED", "hint")
    with opened(account) as credentials:
        assert (credentials.api_key, credentials.secret) == (KEY, SECRET)
    assert sent_tasks() == [("exchanges.tasks.check_account", [account.pk])]


def test_a_paper_account_needs_no_keys_and_no_check(
    browser: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        browser.post(ADD, {"label": "Play", "exchange": "KRAKEN", "environment": "PAPER"})

    account = ExchangeAccount.objects.get()
    assert (account.state, bytes(account.sealed), callbacks) == ("ACTIVE", b"", [])
    assert "needs no keys" in browser.get(account.get_absolute_url()).content.decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"label": ""}, "label"),
        ({"label": "x" * 61}, "label"),
        ({"label": "a\0b"}, "label"),
        ({"label": "First"}, "__all__"),
        ({"exchange": "FTX"}, "exchange"),
        ({"exchange": ""}, "exchange"),
        ({"environment": ""}, "environment"),
        ({"environment": "MOON"}, "environment"),
        ({"environment": "LIVE"}, "environment"),
        ({"environment": "PAPER"}, "environment"),
        ({"exchange": "KRAKEN"}, "environment"),
        ({"exchange": "COINBASE"}, "environment"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": KEY + "\0"}, "api_key"),
        ({"api_key": KEY * 100}, "api_key"),
        ({"secret": ""}, "secret"),
        ({"secret": SECRET[:-1]}, "secret"),
        ({"secret": SECRET[:30] + " " + SECRET[31:]}, "secret"),
        ({"api_key": f"-----BEGIN PRIVATE KEY-----{SECRET}", "secret": KEY}, "api_key"),
    ],
)
def test_bad_input_gets_a_message_and_neither_key_nor_secret_comes_back(
    browser: Client, account: ExchangeAccount, changes: dict[str, str], field: str
) -> None:
    answer = browser.post(ADD, TYPED | changes)

    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    assert "Canary" not in answer.content.decode()
    assert ExchangeAccount.objects.count() == 1


def test_an_empty_post_is_answered_with_messages(browser: Client) -> None:
    assert set(browser.post(ADD).context["form"].errors) == {"label", "exchange", "environment"}


def test_live_accounts_are_offered_where_they_are_allowed(browser: Client, settings: Settings) -> None:
    assert 'value="LIVE"' not in browser.get(ADD).content.decode()
    settings.EXCHANGE_TESTNET_MODE = False

    assert 'value="LIVE"' in browser.get(ADD).content.decode()
    browser.post(ADD, TYPED | {"environment": "LIVE"})
    assert ExchangeAccount.objects.get().environment == "LIVE"


@pytest.mark.parametrize(
    ("exchange", "names"),
    [
        ("BINANCE", ("API key", "Secret key")),
        ("COINBASE", ("Key name or id", "Private key")),
        ("KRAKEN", ("API key", "Private key")),
    ],
)
def test_the_fields_and_steps_are_those_of_the_exchange_that_was_chosen(
    browser: Client, exchange: str, names: tuple[str, str]
) -> None:
    chosen = {"exchange": exchange, "environment": "LIVE"}
    label = Exchange(exchange).label

    for page in (browser.get(KEYS, chosen), browser.post(ADD, chosen)):
        form = page.context["form"]
        assert (form.fields["api_key"].label, form.fields["secret"].label) == names
        text = page.content.decode()
        assert text.count("How to make the right key at") == 1
        assert f"How to make the right key at {label}" in text


def test_for_a_paper_account_no_keys_are_asked_for(browser: Client) -> None:
    page = browser.get(KEYS, {"exchange": "KRAKEN", "environment": "PAPER"}).content.decode()

    assert "needs no keys" in page
    assert "<input" not in page


@pytest.mark.parametrize("chosen", [{"exchange": "FTX", "environment": "LIVE"}, {"environment": "\0"}])
def test_for_nonsense_the_fields_are_those_of_any_exchange(browser: Client, chosen: dict[str, str]) -> None:
    page = browser.get(KEYS, chosen | {"api_key": KEY, "secret": SECRET}).content.decode()

    assert page.count("How to make the right key at") == 3
    assert "Canary" not in page


def test_the_page_sends_the_choice_alone_when_it_asks_for_the_fields(browser: Client) -> None:
    page = browser.get(ADD).content.decode()

    assert f'hx-get="{KEYS}"' in page
    assert 'hx-include="#id_exchange, #id_environment"' in page


def test_a_person_has_so_many_accounts_at_most(browser: Client, bob: User) -> None:
    ExchangeAccount.objects.bulk_create(
        ExchangeAccount(owner=bob, exchange="KRAKEN", environment="PAPER", label=str(number))
        for number in range(MOST_ACCOUNTS)
    )

    assert "the most there can be" in browser.post(ADD, TYPED).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"exchange": "KRAKEN", "environment": "TESTNET"},
        {"exchange": "BINANCE", "environment": "PAPER", "key_id": "x"},
        {"exchange": "BINANCE", "environment": "LIVE", "state": "ACTIVE"},
        {"exchange": "BINANCE", "environment": "PAPER", "label": "First"},
    ],
)
def test_the_database_itself_refuses_what_must_not_be(
    account: ExchangeAccount, bob: User, wrong: dict[str, str]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ExchangeAccount.objects.create(owner=bob, **{"label": "Other"} | wrong)


# --- one account --------------------------------------------------------------------------------------


def test_the_page_of_an_account_tells_its_rights_and_how_to_make_a_key(
    browser: Client, account: ExchangeAccount
) -> None:
    rights = {"can_read": True, "can_trade": True, "can_withdraw": False}
    ExchangeAccount.objects.update(
        permissions=rights, state="REFUSED", state_reason="<b>why</b>", checked_at=timezone.now()
    )

    page = browser.get(account.get_absolute_url()).content.decode()

    assert "Withdraw or transfer funds</dt><dd>no" in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert "Leave “Enable Withdrawals”" in page
    assert "<time" in page


@pytest.mark.parametrize(
    ("state", "asks"), [("UNCHECKED", True), ("ACTIVE", False), ("REFUSED", False), ("LOST_RIGHTS", False)]
)
def test_the_page_asks_again_only_while_the_keys_are_being_checked(
    browser: Client, account: ExchangeAccount, state: str, asks: bool
) -> None:
    ExchangeAccount.objects.update(state=state)

    for url in (account.get_absolute_url(), reverse("exchanges:state", args=[account.pk])):
        page = browser.get(url).content.decode()
        assert ('hx-trigger="every 2s"' in page) == asks
        assert ("being asked" in page) == asks


def test_pages_have_no_inline_script_or_style(browser: Client, account: ExchangeAccount) -> None:
    for url in (LIST, ADD, account.get_absolute_url()):
        page = browser.get(url).content.decode()
        assert "style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert "onclick" not in page


def test_replaced_keys_are_sealed_and_checked_anew(
    browser: Client,
    account: ExchangeAccount,
    empty_queue: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    ExchangeAccount.objects.update(permissions={"can_read": True}, state_reason="old")
    store_balances(account, {"USDT": Balance(Decimal(5000), Decimal(0))})

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(
            reverse("exchanges:replace_keys", args=[account.pk]), {"api_key": "n" * 64, "secret": "m" * 64}
        )

    account.refresh_from_db()
    assert (account.state, account.state_reason, account.permissions) == ("UNCHECKED", "", {})
    assert account.api_key_hint == "nnnn"
    assert (account.balances, account.balances_at) == ({}, None)  # they may be another account's keys
    with opened(account) as credentials:
        assert credentials.secret == "m" * 64
    assert sent_tasks() == [("exchanges.tasks.check_account", [account.pk])]


def test_what_was_told_about_former_keys_is_not_stored(account: ExchangeAccount) -> None:
    replace_keys(account=account, credentials=Credentials("n" * 64, "m" * 64))

    store_balances(account, {"USDT": Balance(Decimal(5000), Decimal(0))})

    assert ExchangeAccount.objects.get().balances == {}


@pytest.mark.parametrize(
    "typed",
    [{}, {"api_key": KEY}, {"api_key": "short", "secret": SECRET}, {"api_key": SECRET, "secret": "CanaryX"}],
)
def test_bad_keys_replace_nothing(browser: Client, account: ExchangeAccount, typed: dict[str, str]) -> None:
    answer = browser.post(reverse("exchanges:replace_keys", args=[account.pk]), typed)

    account.refresh_from_db()
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert "Canary" not in answer.content.decode()
    assert account.state == "ACTIVE"


def test_a_paper_account_takes_no_keys_later_either(browser: Client, bob: User) -> None:
    account = make_exchange_account(bob, environment="PAPER")

    page = browser.post(
        reverse("exchanges:replace_keys", args=[account.pk]), {"api_key": KEY, "secret": SECRET}
    )

    assert "takes no keys" in str(page.context["form"].errors)
    assert "has no keys to check" in _after(browser, "check", account)


def test_an_account_is_renamed(browser: Client, account: ExchangeAccount) -> None:
    browser.post(reverse("exchanges:relabel", args=[account.pk]), {"label": " Second "})

    account.refresh_from_db()
    assert account.label == "Second"


@pytest.mark.parametrize("label", ["", "x" * 61, "Taken"])
def test_a_bad_name_changes_nothing(browser: Client, account: ExchangeAccount, bob: User, label: str) -> None:
    make_exchange_account(bob, label="Taken")

    answer = browser.post(reverse("exchanges:relabel", args=[account.pk]), {"label": label})

    account.refresh_from_db()
    assert answer.context["label_form"].errors
    assert account.label == "First"


@pytest.mark.parametrize("change", [("REFUSED", "UNCHECKED"), ("ACTIVE", "ACTIVE")])
def test_the_owner_has_the_keys_checked_again(
    browser: Client,
    account: ExchangeAccount,
    empty_queue: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    change: tuple[str, str],
) -> None:
    ExchangeAccount.objects.update(state=change[0])

    with django_capture_on_commit_callbacks(execute=True):
        assert "is being asked" in _after(browser, "check", account)

    account.refresh_from_db()
    assert account.state == change[1]
    assert sent_tasks() == [("exchanges.tasks.check_account", [account.pk])]


def test_a_deleted_account_is_gone_with_its_keys(browser: Client, account: ExchangeAccount) -> None:
    assert "are deleted here" in _after(browser, "delete", account)

    assert not ExchangeAccount.objects.exists()


@pytest.mark.parametrize("was_refused", [False, True])
def test_of_an_account_that_was_traded_with_the_keys_go_and_the_record_stays(
    browser: Client, account: ExchangeAccount, was_refused: bool
) -> None:
    subscription = make_subscription(account.owner, account=account)
    assert "A subscription uses this account" in _after(browser, "delete", account)
    Subscription.objects.update(state="STOPPED")
    order = make_order(make_cycle(subscription), state="UNKNOWN")
    assert "A subscription uses this account" in _after(browser, "delete", account)
    assert ExchangeAccount.objects.with_keys().exists()
    if was_refused:  # nobody can ask for it any more
        ExchangeAccount.objects.update(state="LOST_RIGHTS")
    else:
        Order.objects.filter(pk=order.pk).update(state="FILLED")

    assert "what was traded with them stays on record" in _after(browser, "delete", account)

    account.refresh_from_db()
    secrets = (bytes(account.sealed), account.key_id, account.key_fingerprint, account.api_key_hint)
    assert secrets == (b"", "", "", "")
    assert (account.state, account.permissions, account.balances) == ("KEYS_REMOVED", {}, {})
    assert not ExchangeAccount.objects.with_keys().exists()
    page = browser.get(account.get_absolute_url()).content.decode()
    assert "Its keys are removed from here" in page and "Put keys in" in page and "Check again" not in page


def test_what_is_unsettled_of_an_account_is_what_is_not_final_of_an_order() -> None:
    assert set(UNSETTLED) == set(NOT_FINAL)


def test_a_paper_account_with_a_record_stays(browser: Client, bob: User) -> None:
    paper = make_exchange_account(bob, environment="PAPER")
    make_subscription(bob, account=paper, state="STOPPED")

    assert "so it stays, too" in _after(browser, "delete", paper)


@pytest.mark.parametrize("page", ["account", "state", "check", "replace_keys", "relabel", "delete"])
def test_an_account_is_its_owners_alone(
    client: Client, account: ExchangeAccount, charlie: User, mona: User, page: str
) -> None:
    url = reverse(f"exchanges:{page}", args=[account.pk])
    ask = client.get if page in ("account", "state") else client.post

    assert ask(url).headers["Location"] == f"/accounts/login/?next={quote(url)}"
    for stranger in (charlie, mona):
        client.force_login(stranger)
        assert ask(url).status_code == 404
    assert ExchangeAccount.objects.count() == 1


@pytest.mark.parametrize("url", [LIST, ADD, KEYS])
def test_a_visitor_is_asked_to_sign_in(client: Client, url: str) -> None:
    assert client.get(url).headers["Location"] == f"/accounts/login/?next={url}"


@pytest.mark.parametrize("page", ["add", "check", "replace_keys", "relabel", "delete"])
def test_changes_need_a_post_with_a_token(account: ExchangeAccount, bob: User, page: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(bob)
    url = reverse(f"exchanges:{page}", args=[] if page == "add" else [account.pk])

    assert strict.post(url, TYPED).status_code == 403
    assert page in ("add", "replace_keys") or strict.get(url).status_code == 405
    assert ExchangeAccount.objects.count() == 1


# --- the password -------------------------------------------------------------------------------------


@pytest.fixture
def open_browser(client: Client, bob: User) -> Client:
    """One at which bob signed in, and somebody else may sit."""
    client.force_login(bob)
    return client


def keys_page(account: ExchangeAccount) -> str:
    return reverse("exchanges:replace_keys", args=[account.pk])


def asks_for_password(answer: Any) -> bool:
    to: str = answer.headers.get("Location", "")
    return to.startswith("/accounts/reauthenticate/")


def test_keys_are_asked_for_after_the_password(open_browser: Client) -> None:
    chosen = {"exchange": "BINANCE", "environment": "TESTNET"}
    for page in (open_browser.get(ADD), open_browser.get(KEYS, chosen)):
        assert 'name="secret"' not in page.content.decode()
        assert "/accounts/reauthenticate/?next=" in page.content.decode()

    asked = open_browser.get(ADD, chosen)
    assert asks_for_password(asked)
    shown = open_browser.post(asked.headers["Location"], {"password": PASSWORD}, follow=True)

    assert shown.redirect_chain == [(f"{ADD}?exchange=BINANCE&environment=TESTNET", 302)]
    assert 'name="secret"' in shown.content.decode()
    assert 'value="TESTNET" selected' in shown.content.decode()
    assert 'name="secret"' in open_browser.get(KEYS, chosen).content.decode()


def test_a_wrong_password_shows_no_fields_for_keys(open_browser: Client, account: ExchangeAccount) -> None:
    asked = open_browser.get(keys_page(account))

    again = open_browser.post(asked.headers["Location"], {"password": "wrong"})

    assert again.context["form"].errors
    assert asks_for_password(open_browser.get(keys_page(account)))


def test_a_paper_account_is_added_and_deleted_without_the_password(open_browser: Client) -> None:
    open_browser.post(ADD, {"label": "Play", "exchange": "KRAKEN", "environment": "PAPER"})
    account = ExchangeAccount.objects.get(label="Play")

    open_browser.post(reverse("exchanges:delete", args=[account.pk]))

    assert not ExchangeAccount.objects.exists()


def test_the_page_to_replace_keys_comes_after_the_password(
    open_browser: Client, account: ExchangeAccount
) -> None:
    asked = open_browser.get(keys_page(account))
    assert asks_for_password(asked)

    shown = open_browser.post(asked.headers["Location"], {"password": PASSWORD}, follow=True)

    assert shown.redirect_chain == [(keys_page(account), 302)]
    assert 'name="secret"' in shown.content.decode()


@pytest.mark.parametrize("page", ["add", "replace_keys"])
def test_keys_that_come_without_the_password_are_kept_nowhere(
    open_browser: Client, account: ExchangeAccount, page: str
) -> None:
    url = ADD if page == "add" else keys_page(account)
    typed = TYPED | {"api_key": "Canary2" + "k" * 57, "secret": "Canary3" + "s" * 57}

    answer = open_browser.post(url, typed)

    assert asks_for_password(answer)
    assert "Canary" not in json.dumps(dict(open_browser.session))
    told = open_browser.get(answer.headers["Location"]).content.decode()
    assert "Nothing was stored." in told
    empty = open_browser.post(answer.headers["Location"], {"password": PASSWORD}, follow=True)
    assert empty.context["form"].errors == {}
    assert "Canary" not in empty.content.decode()
    assert [each.label for each in ExchangeAccount.objects.all()] == ["First"]
    with opened(account) as credentials:
        assert credentials.secret == SECRET


def test_a_password_is_good_for_five_minutes(browser: Client, account: ExchangeAccount) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=290), tick=False):
        assert browser.get(keys_page(account)).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=301), tick=False):
        assert asks_for_password(browser.get(keys_page(account)))
        assert asks_for_password(browser.post(ADD, TYPED))
        for page in ("check", "delete"):
            assert asks_for_password(browser.post(reverse(f"exchanges:{page}", args=[account.pk])))
    assert ExchangeAccount.objects.count() == 1


def test_an_account_is_deleted_once_the_password_was_given(
    open_browser: Client, account: ExchangeAccount
) -> None:
    asked = open_browser.post(reverse("exchanges:delete", args=[account.pk]))
    assert asks_for_password(asked)

    open_browser.post(asked.headers["Location"], {"password": "wrong"})
    assert ExchangeAccount.objects.exists()

    open_browser.post(asked.headers["Location"], {"password": PASSWORD})
    assert not ExchangeAccount.objects.exists()


def test_keys_are_checked_again_once_the_password_was_given(
    open_browser: Client,
    account: ExchangeAccount,
    empty_queue: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        asked = open_browser.post(reverse("exchanges:check", args=[account.pk]))
    assert asks_for_password(asked)
    assert sent_tasks() == []

    with django_capture_on_commit_callbacks(execute=True):
        open_browser.post(asked.headers["Location"], {"password": PASSWORD})
    assert sent_tasks() == [("exchanges.tasks.check_account", [account.pk])]


# --- the canary ---------------------------------------------------------------------------------------


def database_texts() -> str:
    """Every value of every column of every table of ours and Django's, as text."""
    texts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT row_to_json(t)::text FROM {connection.ops.quote_name(table)} t")
            texts += [row[0] for row in cursor.fetchall()]
    return "\n".join(texts)


def forms_of(secret: str) -> list[str]:
    return [secret, secret.encode().hex(), quote(secret)]


def test_the_keys_appear_nowhere(
    browser: Client, bob: User, mona: User, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = [browser.post(ADD, TYPED, follow=True), browser.post(ADD, TYPED)]  # the second one is refused
    account = ExchangeAccount.objects.get(owner=bob)
    told += [browser.get(url) for url in (LIST, ADD, account.get_absolute_url())]
    sign_in_staff(client, mona)
    admin = "admin:exchanges_exchangeaccount"
    told += [
        client.get(reverse(f"{admin}_changelist")),
        client.get(reverse(f"{admin}_change", args=[account.pk])),
    ]

    everything = "\n".join([*(page.content.decode() for page in told), caplog.text, database_texts()])

    assert [page.status_code for page in told] == [200] * len(told)
    assert account.label in everything
    for secret in (KEY, SECRET):
        assert not [form for form in forms_of(secret) if form in everything]


def test_the_search_for_keys_finds_one_that_was_planted(
    account: ExchangeAccount, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ExchangeAccount.objects.update(state_reason=f"refused {KEY}", sealed=SECRET.encode())
    logging.getLogger("exchanges").debug("opened %s", SECRET)

    texts = database_texts()
    assert KEY in texts
    assert SECRET.encode().hex() in texts
    assert SECRET in caplog.text


def _after(browser: Client, deed: str, account: ExchangeAccount) -> str:
    answer: Any = browser.post(reverse(f"exchanges:{deed}", args=[account.pk]), follow=True)
    return str(answer.content.decode())
