"""A replay of a real cycle says the same, or what is not as it was."""

import shutil
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from bot_sdk.parameters import Parameter
from bots.models import BotVersion
from bots.publishing import publish_version
from exchanges import candle_store
from exchanges.gateway import CandleRow
from exchanges.models import Candle, Market
from execution import replaying, reruns
from execution.cycle import MarketView
from execution.errors import RerunError
from execution.models import Cycle, Fill, Order, Position, Replay, Strike
from subscriptions import changing
from subscriptions.models import Subscription
from tests.execution.test_settling import simulator
from tests.execution.waves import (
    HEADER,
    SELLING_BOT,
    decide,
    hourly,
    market,
    opened_at,
    swap_code,
    view,
)
from tests.factories import make_bot, make_cycle, trader_of

__all__ = ["market", "opened_at", "simulator", "view"]  # fixtures

pytestmark = pytest.mark.django_db

PERIOD = [Parameter("period", "integer", default=5, minimum=1, maximum=50)]
ASKING_BOT = """
import random
from bot_sdk import Action, CustomBot


class Bot(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config=None):
        held = self.get_position()["base_amount"]
        told = [self.get_current_price(), self.get_balance("USDT"), held, len(self.get_candles(7))]
        print("was told", told)
        mean = data["close"].iloc[-self.config["period"]:].mean() + random.random()
        reason = f"of {self.config['period']}: {told} {data['rsi'].iloc[-1]}"
        return Action("SELL" if held else "BUY", mean, reason)
"""
CLOCK_BOT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        import time\n"
    "        return Action('HOLD', time.monotonic(), 'by the clock')\n"
)
CRASHING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): import os; os.abort()\n"


def replayed(cycle: Cycle) -> Replay:
    replay = reruns.ask_for_replay(cycle=cycle, person=trader_of(cycle.subscription))
    replaying.run(replay.pk)
    return Replay.objects.get(pk=replay.pk)


def labels(replay: Replay) -> list[tuple[str, bool]]:
    return [(each["label"], each["is_input"]) for each in replay.differences]


def asking(market: Market) -> Subscription:
    bot = make_bot(code=ASKING_BOT, parameters=PERIOD)
    return hourly(market, bot=bot, strategy_config={"period": 9})


def test_a_replay_says_the_same_though_the_account_has_changed_since(view: MarketView, fresh: None) -> None:
    cycles = decide(view, asking(view.market), hourly(view.market))
    assert {cycle.order.state for cycle in cycles} == {Order.State.FILLED}

    for cycle in cycles:
        replay = replayed(cycle)

        assert (replay.state, replay.is_same, replay.differences) == (Replay.State.DONE, True, [])
        kept = ("verdict", "action", "value", "reason", "log")
        assert [replay.answer[name] for name in kept] == [getattr(cycle, name) for name in kept]


def test_a_receipt_says_which_candles_the_bot_saw(view: MarketView, fresh: None) -> None:
    [cycle] = decide(view, hourly(view.market))

    stored = Candle.objects.of(view.market, "1h").until(view.opened_at).order_by("opened_at")
    candles = cycle.receipt["candles"]
    assert (candles["count"], candles["last"]) == (500, view.opened_at.isoformat())
    assert candles["first"] == (view.opened_at - timedelta(hours=499)).isoformat()
    assert candles["since"] == stored[0].opened_at.isoformat()
    assert "pandas 3" in cycle.receipt["runtime_name"]


def test_a_corrected_candle_is_found_and_what_comes_of_it(view: MarketView, fresh: None) -> None:
    [cycle] = decide(view, asking(view.market))
    Candle.objects.filter(market=view.market, opened_at=view.opened_at).update(close=1)

    replay = replayed(cycle)

    assert replay.is_same is False
    inputs, answers = ("Candles and indicators", True), [("Value", False), ("Reason", False)]
    assert labels(replay) == [inputs, ("Candles asked for", True), *answers]


def test_a_candle_that_is_gone_is_missed(view: MarketView, fresh: None) -> None:
    cycles = decide(view, hourly(view.market, bot=make_bot(code=SELLING_BOT)))
    Candle.objects.filter(market=view.market, opened_at=view.opened_at - timedelta(hours=3)).delete()

    [difference] = replayed(cycles[0]).differences

    assert (difference["label"], difference["is_input"]) == ("Candles", True)
    assert difference["then"].startswith("500 candles")
    Candle.objects.filter(market=view.market).delete()
    assert replayed(cycles[0]).message == replaying.CANDLES_ARE_LOST


def test_candles_that_were_moved_into_the_history_are_read_there(view: MarketView, fresh: None) -> None:
    [cycle] = decide(view, asking(view.market))
    old = Candle.objects.of(view.market, "1h").filter(opened_at__lt=view.opened_at - timedelta(hours=90))
    figures = ("opened_at", "open", "high", "low", "close", "volume")
    rows = [CandleRow(*row) for row in old.order_by("opened_at").values_list(*figures)]
    first, end = rows[0].opened_at, rows[-1].opened_at + timedelta(hours=1)
    while first < end:
        month = candle_store.month_of(first)
        after = min(candle_store.month_after(month), end)
        part = [row for row in rows if first <= row.opened_at < after]
        candle_store.write_month(view.market, "1h", month, part, asked_from=month, asked_until=after)
        first = after
    old.delete()

    replay = replayed(cycle)

    assert (replay.is_same, replay.differences) == (True, [])


def test_a_replay_has_the_version_and_the_settings_of_then(view: MarketView, fresh: None) -> None:
    subscription = asking(view.market)
    [cycle] = decide(view, subscription)
    documents = subscription.documents | {"strategy_config": {"period": 30}}
    changing.change(subscription=subscription, revision=0, **documents)
    publish_version(bot=subscription.bot, number="v1.1.0", code=SELLING_BOT, parameters=())
    newer = BotVersion.objects.get(number="v1.1.0")
    changing.move(subscription=subscription, to=newer, revision=1)

    replay = replayed(Cycle.objects.get(pk=cycle.pk))

    assert (replay.is_same, replay.differences) == (True, [])


def test_other_settings_than_those_of_then_are_told(view: MarketView, fresh: None) -> None:
    subscription = asking(view.market)
    [cycle] = decide(view, subscription)
    Subscription.objects.update(strategy_config={"period": 30})

    replay = replayed(Cycle.objects.get(pk=cycle.pk))

    assert labels(replay) == [("Settings", True), ("Value", False), ("Reason", False)]


def test_settings_that_were_not_kept_are_not_guessed(view: MarketView, fresh: None) -> None:
    subscription = asking(view.market)
    [cycle] = decide(view, subscription)
    documents = subscription.documents | {"strategy_config": {"period": 30}}
    changing.change(subscription=subscription, revision=0, **documents)
    subscription.changes.update(before={})  # as it was stored before they were kept

    replay = replayed(Cycle.objects.get(pk=cycle.pk))

    assert (replay.state, replay.message) == (Replay.State.FAILED, replaying.SETTINGS_ARE_LOST)


def test_a_bot_that_looks_at_the_clock_is_found_out(view: MarketView, fresh: None) -> None:
    [cycle] = decide(view, hourly(view.market, bot=make_bot(code=CLOCK_BOT)))

    replay = replayed(cycle)

    assert (replay.is_same, labels(replay)) == (False, [("Value", False)])


def test_a_replay_touches_neither_money_nor_orders_nor_strikes(view: MarketView, fresh: None) -> None:
    crashing = hourly(view.market, bot=make_bot(code=CRASHING_BOT))
    cycles = decide(view, hourly(view.market), crashing)
    Strike.objects.all().delete()

    def books() -> list[object]:
        return [
            list(model.objects.order_by("pk").values()) for model in (Order, Fill, Position, Cycle, Strike)
        ]

    before = books()

    assert [replayed(cycle).is_same for cycle in cycles for _ in range(3)] == [True] * 6

    assert books() == before
    assert not BotVersion.objects.filter(state=BotVersion.State.QUARANTINED).exists()


def test_what_staff_have_stopped_is_not_run(view: MarketView, fresh: None) -> None:
    subscription = hourly(view.market)
    [cycle] = decide(view, subscription)
    BotVersion.objects.update(state=BotVersion.State.PULLED)

    replay = replayed(cycle)

    assert (replay.state, replay.answer) == (Replay.State.FAILED, {})
    assert "pulled by staff" in replay.message


def test_code_that_was_swapped_is_not_run(view: MarketView, fresh: None, settings: Settings) -> None:
    subscription = hourly(view.market)
    [cycle] = decide(view, subscription)
    swap_code(subscription)
    shutil.rmtree(settings.ARTIFACT_CACHE_DIR)  # which has the bytes that were approved

    replay = replayed(cycle)

    assert (replay.state, replay.answer) == (Replay.State.FAILED, {})
    assert "not what was published" in replay.message


def test_a_replay_whose_worker_is_lost_ends_and_can_be_asked_for_again(view: MarketView, fresh: None) -> None:
    [cycle] = decide(view, hourly(view.market))
    lost = reruns.ask_for_replay(cycle=cycle, person=trader_of(cycle.subscription))
    late = reruns.claim(Replay.objects.all(), lost.pk, replaying.LEASE_SECONDS)
    assert late is not None

    reruns.sweep(timezone.now())
    lost.refresh_from_db()
    assert lost.state == Replay.State.RUNNING
    reruns.sweep(timezone.now() + timedelta(seconds=replaying.LEASE_SECONDS + 1))
    reruns.finish(late, state=Replay.State.DONE, is_same=True)  # a worker that was held up writes nothing

    lost.refresh_from_db()
    assert (lost.state, lost.is_same, lost.message) == (Replay.State.FAILED, None, reruns.LOST)
    assert replayed(cycle).is_same


def test_a_replay_is_claimed_once_and_a_person_has_few(view: MarketView, fresh: None) -> None:
    cycles = decide(view, hourly(view.market))
    person, subscription = trader_of(cycles[0].subscription), cycles[0].subscription
    others = [make_cycle(subscription, age=age, receipt=cycles[0].receipt) for age in range(5, 9)]

    first, again = (reruns.ask_for_replay(cycle=cycles[0], person=person) for _ in range(2))
    for other in others[:2]:
        reruns.ask_for_replay(cycle=other, person=person)
    with pytest.raises(RerunError, match="not finished"):
        reruns.ask_for_replay(cycle=others[2], person=person)

    assert first == again
    assert [reruns.claim(Replay.objects.all(), first.pk, 10) is None for _ in range(2)] == [False, True]
    Replay.objects.update(state=Replay.State.DONE)
    for number in range(reruns.MOST_PER_HOUR - 3):
        Replay.objects.create(cycle=others[number % 4], asked_by=person, state=Replay.State.DONE)
    with pytest.raises(RerunError, match="in an hour"):
        reruns.ask_for_replay(cycle=others[2], person=person)


def test_a_cycle_without_a_run_cannot_be_replayed(market: Market) -> None:
    cycle = make_cycle(hourly(market), verdict="")

    with pytest.raises(RerunError, match="no answer"):
        reruns.ask_for_replay(cycle=cycle, person=trader_of(cycle.subscription))
