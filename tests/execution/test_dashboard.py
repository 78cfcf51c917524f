"""All of a trader's bots on one page: sums that may be added up, and what needs somebody first."""

import html
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from bot_sdk.risk_state import RiskState
from bots.models import BotVersion
from bots.publishing import publish_version
from exchanges.models import ExchangeAccount
from execution.models import Position
from execution.overview import Overview
from subscriptions.models import Subscription, TradingState
from subscriptions.switches import set_trader_state
from tests.execution.test_watch_page import make_stop
from tests.factories import (
    BUYING_BOT,
    make_bot,
    make_candles,
    make_cycle,
    make_exchange_account,
    make_market,
    make_order,
    make_subscription,
)


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def seen(browser: Client, **asked: Any) -> Overview:
    answer = browser.get("/dashboard/", asked)
    assert answer.status_code == 200
    found: Overview = answer.context["overview"]
    return found


def hold(subscription: Subscription, *, day_start: int | None = None, **overrides: Any) -> Position:
    """Bought 0.01 at 60,000; `day_start` is what all was worth at the day's first look."""
    state = RiskState.start(subscription.allocated_capital).to_dict()
    if day_start is not None:
        state |= {"day": timezone.now().date().isoformat(), "day_start_equity": str(day_start)}
    values = {
        "quote_balance": Decimal("9399.4"),
        "base_amount": Decimal("0.01"),
        "cost_basis": Decimal("600.6"),
        "risk_state": state,
        "watched_at": timezone.now(),
    }
    return Position.objects.create(subscription=subscription, **values | overrides)


def test_sums_are_kept_apart_by_currency_and_by_kind_of_money(bobs_browser: Client, bob: User) -> None:
    held = make_subscription(bob)
    make_candles(held.market, count=1, close=Decimal(61_000))
    hold(held, day_start=10_000)
    make_subscription(bob, market=make_market(trading_pair="ETH/EUR"))
    make_subscription(bob, account=make_exchange_account(bob))
    make_subscription(bob, state="STOPPED")

    shown = seen(bobs_browser)

    assert [(total.money, total.quote, total.equity) for total in shown.totals] == [
        ("TESTNET", "USDT", Decimal(10_000)),
        ("PAPER", "EUR", Decimal(10_000)),
        ("PAPER", "USDT", Decimal("10009.4")),
    ]
    paper = shown.totals[-1]
    assert (paper.exposure, paper.exposure_percent) == (Decimal(610), Decimal("6.09"))
    assert (paper.result_today, paper.result_today_percent) == (Decimal("9.4"), Decimal("0.09"))
    assert (shown.current_count, shown.stopped_count) == (3, 1)


def test_what_has_no_price_or_was_not_looked_at_today_is_left_out_and_said(
    bobs_browser: Client, bob: User
) -> None:
    priced = make_subscription(bob)
    make_candles(priced.market, count=1, close=Decimal(61_000))
    hold(priced)
    hold(make_subscription(bob, market=make_market(trading_pair="ETH/USDT")))

    page = html.unescape(bobs_browser.get("/dashboard/").text)

    [total] = seen(bobs_browser).totals
    assert (total.equity, total.is_complete) == (Decimal("10009.4"), False)
    assert (total.result_today, total.is_day_complete) == (0, False)
    assert "without bots that have no price yet" in page
    assert "without positions that nobody looked at today" in page


def test_what_was_lost_today_stays_lost_when_its_bot_is_stopped(bobs_browser: Client, bob: User) -> None:
    make_subscription(bob)
    nothing = {"base_amount": 0, "cost_basis": 0}
    for day_start, left in ((10_000, 9_800), (10_100, 10_050), (10_000, 10_000), (None, 9_000)):
        stopped = make_subscription(bob, state=Subscription.State.STOPPED, stopped_at=timezone.now())
        hold(stopped, day_start=day_start, quote_balance=left, **nothing)

    page = html.unescape(bobs_browser.get("/dashboard/").text)

    shown = seen(bobs_browser)
    assert [(total.money, total.result_today) for total in shown.stopped_today] == [("PAPER", -250)]
    assert shown.totals[0].result_today == 0
    assert "Beside that, bots that were stopped today made" in page
    Subscription.objects.update(stopped_at=timezone.now() - timedelta(days=1))
    assert not seen(bobs_browser).stopped_today


def test_what_needs_attention_comes_first_and_leads_to_its_remedy(bobs_browser: Client, bob: User) -> None:
    fine = make_subscription(bob, bot=make_bot(name="Fine"))
    make_candles(fine.market)
    newer = make_subscription(bob, bot=make_bot(name="Outdated"))
    publish_version(bot=newer.bot, number="v1.1.0", code=BUYING_BOT)
    failing = make_subscription(bob, bot=make_bot(name="Failing"))
    failed = make_cycle(failing, verdict="TIMED_OUT", action="", skip="bot_failed")
    late = make_subscription(bob, market=make_market(trading_pair="OLD/USDT"))
    make_subscription(bob, bot=late.bot, market=late.market)  # about which the same is said, once
    make_candles(late.market, count=1, opened_at=timezone.now() - timedelta(hours=1))
    stopped = make_subscription(bob, bot=make_bot(name="Bad", code="# other\n" + BUYING_BOT))
    BotVersion.objects.filter(bot=stopped.bot).update(state="QUARANTINED", state_reason="Three strikes <b>")
    paused = make_subscription(bob, bot=make_bot(name="Held"), state="PAUSED", state_reason="BTC is missing.")
    halted = make_subscription(bob, bot=make_bot(name="Halted"))
    hold(halted, base_amount=0, cost_basis=0)
    Position.objects.update(risk_state=RiskState.start(Decimal(10_000)).to_dict() | {"is_halted": True})
    lost = make_exchange_account(bob, state=ExchangeAccount.State.LOST_RIGHTS, state_reason="May not trade.")
    on_lost = [make_subscription(bob, account=lost), make_subscription(bob, account=lost)]
    account = make_exchange_account(bob)
    doubtful = make_subscription(bob, bot=make_bot(name="Doubtful"), account=account)
    make_order(make_cycle(doubtful), state="UNKNOWN")
    alone = make_subscription(bob, bot=make_bot(name="Alone"))
    hold(alone, watched_at=timezone.now() - timedelta(minutes=5))
    Subscription.objects.update(changed_at=timezone.now() - timedelta(hours=1))

    shown = seen(bobs_browser)

    assert {(concern.urgency.name, concern.remedy, concern.url) for concern in shown.concerns} == {
        ("MONEY", "See its position", alone.get_absolute_url()),
        ("MONEY", "See the order", f"{doubtful.get_absolute_url()}#orders"),
        ("STOPPED", "Mend the account", lost.get_absolute_url()),
        ("STOPPED", "Lift the halt", halted.get_absolute_url()),
        ("STOPPED", "See and resume it", paused.get_absolute_url()),
        ("STOPPED", "See what you can do", stopped.get_absolute_url()),
        ("TROUBLE", "See the bots", "/dashboard/#bots-title"),
        ("TROUBLE", "See the run", failed.get_absolute_url()),
        ("OFFER", "See what would change", f"{newer.get_absolute_url()}version/?to=v1.1.0"),
    }
    order = [concern.urgency for concern in shown.concerns]
    assert order == sorted(order) and len(order) == 9  # the account once for both
    in_table = [row.subscription.pk for row in shown.page]
    assert set(in_table[:2]) == {alone.pk, doubtful.pk}
    assert set(in_table[-2:]) == {fine.pk, newer.pk}
    assert {each.pk for each in on_lost} < set(in_table)
    page = bobs_browser.get("/dashboard/").text
    assert page.index("Needs your attention") < page.index("Equity in")
    assert "Three strikes &lt;b&gt;" in page


def test_a_position_that_only_the_exchange_protects_needs_attention(bobs_browser: Client, bob: User) -> None:
    subscription = make_subscription(bob, account=make_exchange_account(bob))
    hold(subscription, watched_at=timezone.now() - timedelta(minutes=5))
    make_stop(subscription)
    make_candles(subscription.market)
    assert not seen(bobs_browser).concerns  # it was started just now
    Subscription.objects.update(changed_at=timezone.now() - timedelta(minutes=5))

    [concern] = seen(bobs_browser).concerns
    assert "only its stop loss at the exchange protects it now" in concern.says

    Position.objects.update(watched_at=timezone.now())
    assert not seen(bobs_browser).concerns
    Subscription.objects.update(state=Subscription.State.PAUSED)  # as its trader wants it
    assert not seen(bobs_browser).concerns


@pytest.mark.parametrize(
    ("state", "stop", "says"),
    [
        ("HALTED", False, "no stop of it acts while trading is halted"),
        ("HALTED", True, "only its stop loss at the exchange protects it now"),
        ("REDUCING", False, None),
    ],
)
def test_while_trading_is_halted_it_says_what_that_means_for_what_is_held(
    bobs_browser: Client, bob: User, state: str, stop: bool, says: str | None
) -> None:
    subscription = make_subscription(bob, account=make_exchange_account(bob))
    hold(subscription)
    if stop:
        make_stop(subscription)
    set_trader_state(trader=bob, state=TradingState(state))

    concerns = [(concern.says, concern.url) for concern in seen(bobs_browser).concerns]

    assert concerns == ([(f"It holds a position, and {says}.", "/limits/")] if says else [])


def test_a_reached_drawdown_limit_tells_whether_all_is_sold(bobs_browser: Client, bob: User) -> None:
    subscription = make_subscription(bob)
    hold(subscription)
    reached = RiskState.start(Decimal(10_000)).to_dict() | {"is_halted": True}
    Position.objects.update(risk_state=reached)
    page = subscription.get_absolute_url()
    assert "what it holds is not sold, and" in seen(bobs_browser).concerns[0].says
    assert "what is held is not sold, and" in bobs_browser.get(page).text

    Position.objects.update(base_amount=0, cost_basis=0)
    assert "it holds nothing" in seen(bobs_browser).concerns[0].says
    assert "nothing is held any more" in bobs_browser.get(page).text

    Subscription.objects.update(state="STOPPED")
    assert "Lift the halt" not in bobs_browser.get(page).text


def test_a_market_that_nobody_used_is_not_late_once_it_is_used_again(bobs_browser: Client, bob: User) -> None:
    subscription = make_subscription(bob)
    make_candles(subscription.market, count=1, opened_at=timezone.now() - timedelta(days=3))
    assert not seen(bobs_browser).concerns

    Subscription.objects.update(changed_at=timezone.now() - timedelta(minutes=5))
    [concern] = seen(bobs_browser).concerns
    assert "No new candle" in concern.says


def test_the_page_asks_whether_there_is_news_and_is_told_so(bobs_browser: Client, bob: User) -> None:
    subscription = make_subscription(bob, timeframe="1d")
    make_candles(subscription.market, "1d", count=1)
    address = re.search(r'hx-get="([^"]+)"', bobs_browser.get("/dashboard/").text)
    assert address
    ask = html.unescape(address[1])

    assert bobs_browser.get(ask).status_code == 204
    make_cycle(subscription)
    news = bobs_browser.get(ask)

    assert news.status_code == 200
    assert '<div id="live"' in news.text and "<html" not in news.text
    assert html.unescape(re.findall(r'hx-get="([^"]+)"', news.text)[0]) != ask
    assert "HX-Refresh" in Client().get(ask, headers={"HX-Request": "true"}).headers


def test_an_empty_dashboard_leads_on_and_is_ones_own(client: Client, bob: User, charlie: User) -> None:
    subscription = make_subscription(bob)
    for address in ("/dashboard/", "/dashboard/live/"):
        assert client.get(address).headers["Location"] == f"/accounts/login/?next={address}"
    client.force_login(charlie)

    page = client.get("/dashboard/").text

    assert subscription.bot.name not in page
    assert '<a class="btn btn-primary" href="/">See the catalogue</a>' in page


def test_many_bots_are_shown_page_by_page_and_the_stopped_apart(bobs_browser: Client, bob: User) -> None:
    bot, market = make_bot(), make_market()
    for _ in range(26):
        make_subscription(bob, bot=bot, market=market)
    gone = make_subscription(bob, bot=bot, market=market, state="STOPPED")

    assert len(seen(bobs_browser, page="2").page) == 1
    assert len(seen(bobs_browser, page="none").page) == 25
    assert [row.subscription for row in seen(bobs_browser, show="stopped").page] == [gone]


def fill(bob: User, account: ExchangeAccount, coins: list[str]) -> None:
    """For each coin: one that holds, guarded; one outdated that fails; one in quarantine; one stopped."""
    for coin in coins:
        market = make_market(trading_pair=f"{coin}/USDT")
        make_candles(market, count=2)
        held = make_subscription(bob, market=market, account=account)
        hold(held, day_start=10_000)
        cycle = make_cycle(held)
        stop = {"leg": "guard", "side": "SELL", "kind": "LIMIT", "limit_price": 1, "state": "OPEN"}
        make_order(cycle, **stop)
        outdated = make_subscription(bob, market=market)
        publish_version(bot=outdated.bot, number="v2.0.0", code=BUYING_BOT)
        make_cycle(outdated, verdict="CRASHED", action="")
        quarantined = make_subscription(bob, market=market)
        BotVersion.objects.filter(bot=quarantined.bot).update(state="QUARANTINED")
        stopped = make_subscription(bob, market=market, state="STOPPED", stopped_at=timezone.now())
        hold(stopped, day_start=10_000)


@pytest.mark.parametrize("asked", [{}, {"show": "stopped"}])
def test_the_dashboard_takes_as_many_queries_with_many_subscriptions(
    bobs_browser: Client, bob: User, asked: dict[str, str]
) -> None:
    account = make_exchange_account(bob)
    counts = []
    for coins in (["A"], ["B", "C", "D"]):
        fill(bob, account, coins)
        with CaptureQueriesContext(connection) as queries:
            bobs_browser.get("/dashboard/", asked)
        counts.append(len(queries))

    assert counts[0] == counts[1] <= (17 if asked else 14)
