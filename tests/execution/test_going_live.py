"""From paper to real money: a page of its own, a tick, and a fresh password or second factor."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from bots.models import Bot
from bots.publishing import publish_version
from exchanges.models import ExchangeAccount
from subscriptions.models import Subscription
from tests.factories import (
    BUYING_BOT,
    PASSWORD,
    Program,
    code_of,
    give_password,
    make_bot,
    make_exchange_account,
    make_market,
    make_subscription,
)
from tests.subscriptions.test_change_pages import filled_in
from tests.subscriptions.test_changing import NEW, OLD

pytestmark = pytest.mark.django_db

SAFE = {"can_read": True, "can_trade": True, "can_withdraw": False}


@pytest.fixture(autouse=True)
def live_is_allowed(settings: Settings) -> None:
    settings.EXCHANGE_TESTNET_MODE = False


@pytest.fixture
def tried(bob: User) -> Subscription:
    bot = make_bot(slug="steady", parameters=OLD)
    return make_subscription(bob, bot=bot, strategy_config={"period": 50, "mode": "wild", "lost": 7})


@pytest.fixture
def account(bob: User) -> ExchangeAccount:
    return live_account(bob)


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def live_account(owner: User, **overrides: Any) -> ExchangeAccount:
    held = {"balances": {"USDT": {"free": "5000", "locked": "0"}}, "balances_at": timezone.now()}
    values = {"environment": "LIVE", "label": "Real", "permissions": SAFE} | held
    return make_exchange_account(owner, **values | overrides)


def address(subscription: Subscription) -> str:
    return f"/subscriptions/{subscription.pk}/real-money/"


def confirmed(account: ExchangeAccount, /, **changes: Any) -> dict[str, Any]:
    sent = {"account": account.pk, "allocated_capital": "2000", "revision": "0", "version": "v1.0.0"}
    return sent | {"is_confirmed": "on"} | changes


def live_ones() -> list[Subscription]:
    return list(Subscription.objects.live().order_by("pk"))


def test_the_page_says_what_changes_and_what_can_be_lost(
    bobs_browser: Client, tried: Subscription, account: ExchangeAccount
) -> None:
    assert f'href="{address(tried)}"' in bobs_browser.get(tried.get_absolute_url()).content.decode()

    shown = bobs_browser.get(address(tried), {"account": str(account.pk), "allocated_capital": "2000"})
    page = shown.content.decode().replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")

    assert shown.context["is_ready"]
    for words in ("Real (Binance, live)", "2 000.00 USDT", "about 200.00 USDT", "too short to tell"):
        assert words in page
    assert "about 20.40 USDT on one position" in page
    assert "This is real money, your own, on Real at Binance." in page


def test_real_money_waits_for_the_tick_and_the_password(
    bobs_browser: Client, tried: Subscription, account: ExchangeAccount
) -> None:
    asked = bobs_browser.post(address(tried), confirmed(account))
    assert "/reauthenticate/" in asked.headers["Location"]
    bobs_browser.post(asked.headers["Location"], {"password": "wrong"})
    assert live_ones() == []

    bobs_browser.post(asked.headers["Location"], {"password": PASSWORD})
    [live] = live_ones()
    assert (live.account, live.allocated_capital, live.rehearsal) == (account, Decimal(2000), tried)
    assert live.documents == tried.documents
    for one, other in ((tried, live), (live, tried)):  # their pages lead to each other
        page = bobs_browser.get(one.get_absolute_url()).content.decode()
        assert f'href="{other.get_absolute_url()}"' in page

    unticked = bobs_browser.post(address(tried), confirmed(account, is_confirmed=""))
    assert "Confirm this if you mean it." in unticked.content.decode()
    assert live_ones() == [live]


def test_a_code_of_the_authenticator_app_alone_is_enough(
    bobs_browser: Client, bob: User, tried: Subscription, account: ExchangeAccount
) -> None:
    secret = generate_totp_secret()
    TOTP.activate(bob, secret)

    asked = bobs_browser.post(address(tried), confirmed(account))
    page = bobs_browser.get(asked.headers["Location"])
    [other] = page.context["reauthentication_alternatives"]
    assert f'href="{other["url"].replace("&", "&amp;")}"' in page.content.decode()
    bobs_browser.post(other["url"], {"code": code_of(secret)})

    assert [live.account for live in live_ones()] == [account]


def test_a_password_of_minutes_ago_does_not_count(
    bobs_browser: Client, tried: Subscription, account: ExchangeAccount
) -> None:
    give_password(bobs_browser)
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        asked = bobs_browser.post(address(tried), confirmed(account))

    assert "/reauthenticate/" in asked.headers["Location"]
    assert live_ones() == []


def test_it_goes_live_once_and_the_trial_ends_if_that_is_wanted(
    bobs_browser: Client, tried: Subscription, account: ExchangeAccount
) -> None:
    give_password(bobs_browser)
    bobs_browser.post(address(tried), confirmed(account))
    again = bobs_browser.post(address(tried), confirmed(account))
    assert "It is live on Real already." in again.content.decode()
    Subscription.objects.filter(pk=live_ones()[0].pk).update(state="STOPPED")

    answer = bobs_browser.post(address(tried), confirmed(account, stops_rehearsal="on"))

    tried.refresh_from_db()
    assert (len(live_ones()), tried.state) == (2, "STOPPED")
    assert answer.headers["Location"] == live_ones()[1].get_absolute_url()


def test_the_version_that_is_offered_now_goes_live_and_is_told_of(
    bobs_browser: Client, tried: Subscription, account: ExchangeAccount
) -> None:
    publish_version(bot=tried.bot, number="v1.1.0", code=BUYING_BOT, parameters=NEW)
    page = bobs_browser.get(address(tried)).content.decode()
    assert "The record above is of v1.0.0" in page

    give_password(bobs_browser)
    seen_before = bobs_browser.post(address(tried), confirmed(account))
    assert "v1.1.0 is offered by now" in seen_before.content.decode()
    assert live_ones() == []
    bobs_browser.post(address(tried), confirmed(account, version="v1.1.0"))

    [live] = live_ones()
    assert (live.version.number, live.strategy_config["period"]) == ("v1.1.0", 10)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"permissions": SAFE | {"can_withdraw": True}}, "cannot withdraw"),
        ({"permissions": {}}, "cannot withdraw"),
        ({"state": "REFUSED"}, "accepts its key"),
        ({"balances": {"USDT": {"free": "100", "locked": "0"}}}, "no other subscription may use"),
    ],
)
def test_an_account_that_is_not_fit_starts_nothing(
    bobs_browser: Client, bob: User, tried: Subscription, changes: dict[str, Any], told: str
) -> None:
    unfit = live_account(bob, **changes)
    give_password(bobs_browser)

    shown = bobs_browser.get(address(tried), {"account": str(unfit.pk), "allocated_capital": "2000"})
    posted = bobs_browser.post(address(tried), confirmed(unfit))

    assert (shown.context["is_ready"], told in posted.content.decode()) == (False, True)
    assert live_ones() == []


@pytest.mark.parametrize(
    "sent",
    [
        {"allocated_capital": "40"},  # a buy of 10 % is less than the smallest order
        {"allocated_capital": "NaN"},
        {"allocated_capital": "1e400"},
        {"account": "\0"},
        {"account": "9" * 400},
        {"revision": "7"},
    ],
)
def test_what_does_not_fit_starts_nothing(
    bobs_browser: Client, tried: Subscription, account: ExchangeAccount, sent: dict[str, str]
) -> None:
    give_password(bobs_browser)

    posted = bobs_browser.post(address(tried), confirmed(account, **sent))
    shown = bobs_browser.get(address(tried), sent)

    assert (posted.status_code, shown.status_code) == (200, 200)
    assert posted.context["form"].errors
    assert live_ones() == []


def test_the_operator_may_forbid_it(
    bobs_browser: Client, tried: Subscription, account: ExchangeAccount, settings: Settings
) -> None:
    settings.EXCHANGE_TESTNET_MODE = True
    give_password(bobs_browser)

    seen = bobs_browser.get(address(tried)).content.decode()
    posted = bobs_browser.post(address(tried), confirmed(account))

    assert "Real money is switched off on this marketplace." in seen
    assert "This has to be so first: Live trading is switched on" in posted.content.decode()
    assert live_ones() == []


def test_nothing_is_called_paper_before_there_is_an_account(
    bobs_browser: Client, tried: Subscription
) -> None:
    page = bobs_browser.get(address(tried)).content.decode()

    assert "What you can lose" in page
    assert "none of it is real money" not in page
    assert "Real money is switched off" not in page


def test_ones_own_bot_stays_on_paper(client: Client, alice: User) -> None:
    make_market()
    own = make_subscription(alice, bot=make_bot(alice))
    account = live_account(alice)
    client.force_login(alice)
    give_password(client)

    assert address(own) not in client.get(own.get_absolute_url()).content.decode()
    assert "is not your own bot" in client.post(address(own), confirmed(account)).content.decode()
    assert live_ones() == []


def test_others_subscriptions_and_accounts_are_not_there(
    client: Client, bob: User, charlie: User, tried: Subscription, account: ExchangeAccount
) -> None:
    assert client.get(address(tried)).headers["Location"].startswith("/accounts/login/")
    client.force_login(charlie)
    give_password(client)
    assert client.get(address(tried)).status_code == 404
    assert client.post(address(tried), confirmed(account)).status_code == 404

    client.force_login(bob)
    give_password(client)
    foreign = live_account(charlie, label="Theirs")
    assert "Theirs" not in client.get(address(tried)).content.decode()
    client.post(address(tried), confirmed(foreign))
    assert live_ones() == []


def test_a_program_is_shown_the_checks_and_goes_live_as_the_page_does(
    bob: User, tried: Subscription, account: ExchangeAccount, settings: Settings
) -> None:
    program, at = Program(bob), f"/api/subscriptions/{tried.pk}/go-live"
    told = program.get(at, {"account_id": str(account.pk), "allocated_capital": "2000"}).json()
    assert all(check["is_met"] for check in told["checks"])
    assert (told["is_ready"], told["revision"], told["version"]) == (True, 0, "v1.0.0")
    assert "real money, your own" in told["loss"][-1]
    assert "afford to lose it" in told["confirmation"]
    wanted = {name: told[name] for name in ("account_id", "allocated_capital", "revision", "version")}
    wanted |= {"is_confirmed": True, "stops_rehearsal": True}

    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -10
    assert program.send(at, wanted).json()["error"]["code"] == "password_needed"
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    for wrong, status, words in (
        ({"is_confirmed": False}, 400, "Confirm this"),
        ({"revision": 7}, 409, "changed since"),
        ({"version": "v0.9.0"}, 409, "v1.0.0 is offered by now"),
        ({"allocated_capital": "9000"}, 400, "no other subscription may use"),
        ({"account_id": make_exchange_account(bob, environment="PAPER").pk}, 409, "real money at Binance"),
    ):
        refused = program.send(at, wanted | wrong)
        assert (refused.status_code, words in refused.content.decode()) == (status, True), wrong
    assert live_ones() == []

    answers = [program.send(at, wanted, Idempotency_Key="one") for _ in range(2)]
    [live] = live_ones()
    tried.refresh_from_db()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (answers[1].json()["id"], answers[1].json()["rehearsal_id"]) == (live.pk, tried.pk)
    assert (live.account, live.allocated_capital, tried.state) == (account, Decimal(2000), "STOPPED")
    assert program.get(at).status_code == 409  # what has ended cannot go live


def test_a_program_does_not_go_live_with_what_is_anothers(
    bob: User, charlie: User, tried: Subscription, account: ExchangeAccount
) -> None:
    at, theirs = f"/api/subscriptions/{tried.pk}/go-live", live_account(charlie)
    wanted = {"allocated_capital": "2000", "revision": 0, "version": "v1.0.0", "is_confirmed": True}

    assert Program(charlie).send(at, wanted | {"account_id": theirs.pk}).status_code == 404
    assert Program(bob).send(at, wanted | {"account_id": theirs.pk}).status_code == 404
    assert Program(bob).get(at, {"account_id": theirs.pk}).status_code == 404
    assert Program(bob, is_read_only=True).get(at).status_code == 403  # it tells what a key may do
    assert live_ones() == []


def test_changing_what_is_live_asks_for_the_password(
    bobs_browser: Client, bob: User, tried: Subscription, account: ExchangeAccount
) -> None:
    newer: Bot = tried.bot
    publish_version(bot=newer, number="v1.1.0", code=BUYING_BOT, parameters=NEW)
    live = make_subscription(
        bob, bot=newer, version=tried.version, account=account, strategy_config=tried.strategy_config
    )
    settings_page = f"/subscriptions/{live.pk}/settings/"
    wanted = filled_in(live, stop_loss_percent="9")

    preview = bobs_browser.post(settings_page, wanted | {"step": "preview"})
    assert "real money, your own" in preview.content.decode()
    asked = bobs_browser.post(settings_page, wanted | {"step": "store"})
    move_page = f"/subscriptions/{live.pk}/version/"
    assert (
        f'method="post" action="{move_page}"' in bobs_browser.get(f"{move_page}?to=v1.1.0").content.decode()
    )
    wanted_move = {"to": "v1.1.0", "revision": "0"}
    moving = bobs_browser.post(move_page, wanted_move)
    moving_unasked = bobs_browser.post(move_page, wanted_move | {"step": "preview"})
    bobs_browser.post(f"/subscriptions/{live.pk}/pause/")
    resuming_unasked = bobs_browser.post(f"/subscriptions/{live.pk}/resume/", {"step": "preview"})
    lifting = bobs_browser.post(f"/subscriptions/{live.pk}/lift-halt/")
    resuming = bobs_browser.post(f"/subscriptions/{live.pk}/resume/")
    for answer in (asked, moving, moving_unasked, lifting, resuming_unasked, resuming):
        assert "/reauthenticate/" in answer.headers["Location"]
    live.refresh_from_db()
    assert (live.revision, live.state) == (0, "PAUSED")

    bobs_browser.post(resuming.headers["Location"], {"password": PASSWORD})
    bobs_browser.post(settings_page, wanted | {"step": "store"})
    live.refresh_from_db()
    assert (live.state, live.risk_config["stop_loss_percent"]) == ("ACTIVE", 9)
