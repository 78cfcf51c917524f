"""The marketplace's own runs on paper: as a subscriber's, and nobody's subscription."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Notification, User
from bot_sdk.risk import SkipReason
from bots import publishing
from bots.models import Bot, BotVersion
from bots.publishing import publish_version
from exchanges.models import Market
from execution import envelope, forward_runs, performance, records, tasks, wave
from execution.cycle import MarketView
from execution.models import BotRecord, Order
from execution.orders import position_of
from marketplace import roles
from subscriptions import lifecycle
from subscriptions.models import Subscription, TradingState
from subscriptions.switches import set_platform_state
from tests.exchanges.simulated import Simulator
from tests.execution.waves import decide, market, opened_at, simulator, view
from tests.factories import (
    BUYING_BOT,
    Program,
    make_bot,
    make_cycle,
    make_market,
    make_staff,
    make_subscription,
    make_user,
    sign_in_staff,
)

__all__ = ["market", "opened_at", "simulator", "view"]  # fixtures

pytestmark = pytest.mark.django_db

State = Subscription.State
BEGUN = datetime(2026, 3, 2, 10, 40, tzinfo=UTC)
HOUR = timedelta(hours=1)


def runs() -> list[tuple[str, str]]:
    found = Subscription.objects.forward_runs().order_by("pk")
    return list(found.values_list("version__number", "state"))


def the_run() -> Subscription:
    return Subscription.objects.forward_runs().with_names().get()


def test_each_version_that_is_offered_is_run_once_with_the_settings_of_its_backtest() -> None:
    make_market()
    bot = make_bot(timeframes=["5m"], risk_defaults={"stop_loss_percent": 3.0})
    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)
    make_bot(state=Bot.State.RETIRED)

    for _ in range(2):
        tasks.keep_records()

    assert runs() == [("v1.0.0", "ACTIVE"), ("v1.1.0", "ACTIVE")]
    run = Subscription.objects.forward_runs().with_names().get(version__number="v1.0.0")
    backtest = BotRecord.objects.get(version=run.version, kind="BACKTEST").backtest
    assert backtest is not None
    for name in ("market", "timeframe", "strategy_config", "execution_config", "risk_config"):
        assert getattr(run, name) == getattr(backtest, name)
    assert run.allocated_capital == backtest.capital
    with pytest.raises(IntegrityError, match="one_forward_run_per_version"), transaction.atomic():
        Subscription.objects.filter(pk=run.pk).create(
            bot=bot, version=run.version, market=run.market, timeframe="1h", allocated_capital=1
        )


def test_a_run_rests_while_its_version_is_not_offered_and_is_never_begun_anew() -> None:
    make_market()
    bot = make_bot()
    version = BotVersion.objects.get()
    forward_runs.keep()
    began = the_run().pk

    publishing.retire(version=version)
    forward_runs.keep()
    assert (the_run().state, the_run().state_reason) == (State.PAUSED, forward_runs.NOT_OFFERED)
    publishing.offer_again(version=version)
    forward_runs.keep()
    assert (the_run().pk, the_run().state) == (began, State.ACTIVE)

    Bot.objects.update(state=Bot.State.SUSPENDED)
    forward_runs.keep()
    assert the_run().state == State.PAUSED
    Bot.objects.update(state=Bot.State.LISTED)
    publishing.pull(version=version, reason="harmful")
    forward_runs.keep()
    assert the_run().state == State.PAUSED
    assert not bot.versions.offered()


def test_a_run_goes_on_once_its_market_is_listed_again() -> None:
    market = make_market()
    make_bot()
    forward_runs.keep()
    began = the_run().pk

    Market.objects.update(is_active=False)
    lifecycle.pause_where_unlisted(exchange=market.exchange)
    forward_runs.keep()
    assert (the_run().state, the_run().state_reason) == (State.PAUSED, lifecycle.not_listed(market))
    Market.objects.update(is_active=True)
    forward_runs.keep()
    assert (the_run().pk, the_run().state) == (began, State.ACTIVE)


def test_versions_that_cannot_begin_leave_the_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_runs, "MOST_BEGUN", 2)
    monkeypatch.setattr(records, "MOST_LOOKED_AT", 2)
    make_market(trading_pair="ETH/USDT")
    earlier = [make_bot(trading_pairs=["DOGE/EUR"]) for _ in range(3)]
    able = make_bot(trading_pairs=["ETH/USDT"])
    later = [make_bot(trading_pairs=["DOGE/EUR"]) for _ in range(3)]

    for _ in range(2):
        tasks.keep_records()
    assert the_run().bot == able
    assert BotRecord.objects.get(kind="BACKTEST").version.bot == able

    make_market()  # whose pair is everybody's
    for _ in range(4):
        tasks.keep_records()
    assert Subscription.objects.forward_runs().count() == len([*earlier, able, *later])


def test_what_staff_have_paused_stays_so(mona: User) -> None:
    make_market()
    make_bot()
    forward_runs.keep()
    lifecycle.pause_by_staff(subscription=the_run(), staff=mona)

    forward_runs.keep()

    assert the_run().state == State.PAUSED


def test_a_version_in_quarantine_is_not_asked_but_its_run_stays() -> None:
    make_market()
    make_bot()
    forward_runs.keep()
    publishing.quarantine(BotVersion.objects.get(), "crashed")

    forward_runs.keep()

    assert the_run().state == State.ACTIVE
    assert not the_run().is_asked


def test_there_are_only_as_many_runs_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    make_market()
    monkeypatch.setattr(forward_runs, "MOST_RUNS_A_MINUTE", 1.1)
    bots = [make_bot(timeframes=["1m"]), make_bot(), make_bot(timeframes=["1m"])]

    forward_runs.keep()
    forward_runs.keep()
    begun = Subscription.objects.forward_runs().values_list("bot", flat=True)
    assert sorted(begun) == [bots[0].pk, bots[1].pk]

    publishing.retire_bot(bot=bots[0])
    forward_runs.keep()
    forward_runs.keep()
    assert begun.filter(bot=bots[2]).exists()


def test_a_run_is_no_subscriber_anywhere(client: Client, alice: User) -> None:
    market = make_market()
    bot = make_bot(alice)
    forward_runs.keep()
    run = the_run()
    make_cycle(run, equity=Decimal(10_100), price=Decimal(60_000))
    position_of(run)

    performance.measure_all(timezone.now())
    records.measure_subscribers(timezone.now())
    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)
    lifecycle.tell_of_new_version(version=bot.versions.get(number="v1.1.0"))
    lifecycle.tell_of_stopped_bot(subscriptions=[run])
    set_platform_state(state=TradingState.HALTED, reason="A test.", by=None)
    lifecycle.pause_and_tell(subscriptions=[run], reason="A test.")

    assert vars(Bot.objects.with_subscribers().get())["subscriber_count"] == 0
    assert not BotRecord.objects.filter(kind="SUBSCRIBERS").exists()
    assert not Notification.objects.exists()
    assert not Subscription.objects.of_traders().exists()
    assert run.market == market
    for person in (alice, make_user("bob")):
        assert Program(person).get("/api/subscriptions/").json()["count"] == 0
        client.force_login(person)
        assert client.get(run.get_absolute_url()).status_code == 404
    moderator = make_staff("max", roles.MODERATOR)
    sign_in_staff(client, moderator)
    html = client.get("/admin/bots/bot/").content.decode()
    assert f'?bot__id__exact={bot.pk}&amp;trader__isnull=False">0</a>' in html


@pytest.fixture
def run(view: MarketView) -> Iterator[Subscription]:  # noqa: F811
    make_bot()
    forward_runs.keep()
    yield the_run()


def test_a_run_decides_and_trades_as_a_subscriber_with_its_settings(
    view: MarketView,  # noqa: F811
    fresh: None,  # noqa: F811
    run: Subscription,
) -> None:
    alike: dict[str, Any] = run.documents | {"timeframe": "1h", "allocated_capital": run.allocated_capital}
    subscribed = make_subscription(bot=run.bot, market=run.market, **alike)
    assert set(wave.due("1h", view.opened_at)) == {run, subscribed}

    [mine, theirs] = sorted(decide(view, run, subscribed), key=lambda cycle: cycle.subscription_id)

    assert mine.is_shared
    for name in ("inputs", "verdict", "action", "signal_action", "price", "equity"):
        assert getattr(mine, name) == getattr(theirs, name)
    assert (mine.order.state, mine.order.amount) == (Order.State.FILLED, theirs.order.amount)
    assert position_of(run).base_amount == position_of(subscribed).base_amount > 0


def test_the_platforms_halt_holds_for_a_run(
    view: MarketView,  # noqa: F811
    fresh: None,  # noqa: F811
    run: Subscription,
) -> None:
    set_platform_state(state=TradingState.HALTED, reason="A test.", by=None)

    [cycle] = decide(view, run)

    assert (cycle.action, cycle.skip) == ("BUY", SkipReason.TRADING_HALTED)
    assert envelope.objection(run, "SELL", Decimal(1)) == SkipReason.TRADING_HALTED
    assert not Order.objects.exists()


def test_markets_on_which_people_trade_come_first(simulator: Simulator) -> None:  # noqa: F811
    alone, common = make_market(), make_market(trading_pair="ETH/USDT")
    make_bot()
    forward_runs.keep()
    make_subscription(market=common, timeframe="1h")
    opened_at = timezone.now()

    assert wave.due_markets("1h", opened_at) == [common.pk, alone.pk]


def test_what_a_run_has_done_becomes_a_record_with_the_candles_that_it_missed(client: Client) -> None:
    make_market()
    bot = make_bot(promised_trades_per_week=Decimal(3), promised_max_drawdown_percent=Decimal(5))
    with time_machine.travel(BEGUN, tick=False):
        forward_runs.keep()
    page = f"/bots/{bot.slug}/records/"
    assert "Candles decided</dt><dd>0" in client.get(page).content.decode()
    assert "drawdown limit" not in client.get(page).content.decode()
    position = position_of(the_run())
    position.risk_state = replace(position.past, is_halted=True).to_dict()
    position.save()
    opened_at = BEGUN.replace(minute=0)
    for hour, equity in ((0, 10_000), (1, 9_700), (4, 9_800), (24, 10_300)):
        candle = opened_at + hour * HOUR
        make_cycle(
            the_run(),
            candle_opened_at=candle,
            candle_closed_at=candle + HOUR,
            equity=equity,
            price=60_000,
            verdict="OK" if hour != 4 else "FAILED",
        )
    now = opened_at + 27 * HOUR  # whose newest candle may still be decided, the one before not any more

    performance.measure_all(now)
    forward_runs.measure(now)

    record = BotRecord.objects.get(kind="FORWARD")
    assert (record.measured_at, record.days) == (now, 1)  # on two days, and no gap makes it longer
    assert (record.figures["decided"], record.figures["missed"]) == (3, 23)
    assert record.figures["total_return_percent"] == pytest.approx(3)
    assert record.figures["max_drawdown_percent"] == pytest.approx(2)
    html = " ".join(client.get(page).content.decode().split())
    assert "Candles decided</dt><dd>3" in html
    assert "Candles missed</dt><dd>23" in html
    assert "<strong>10 300.00" in html
    assert '<td>2 % <span class="text-gain">Kept</span></td>' in html
    assert "<td>n/a</td></tr>" in html  # two days say nothing of a week
    assert "It has reached the drawdown limit" in html
