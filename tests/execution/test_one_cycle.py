"""Messages that come often, at once and hours late: one cycle for each candle (I1), no late order (I10)."""

import json
import os
import random
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from threading import Thread

import pytest
from django.db import connection, connections
from django.db.models import Count
from django.utils import timezone

from bot_sdk.risk import SkipReason
from bot_sdk.timeframes import duration, last_closed
from exchanges import gateways
from exchanges.gateway import SETTLING
from exchanges.markets import refresh_markets
from exchanges.models import Market
from execution import tasks, wave
from execution.models import Cycle, Order
from marketplace import celery_app
from subscriptions.models import Subscription
from tests.exchanges.simulated import PAIR, Simulator
from tests.execution.proof import new_seed
from tests.execution.test_settling import EXCHANGES, simulator, subscribed
from tests.factories import NOON, make_bot, make_market, make_subscription, make_user

__all__ = ["simulator"]  # a fixture

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

BEATS, WORKERS = 2, 4
MOST_DELIVERIES = 10  # of one message
OUTAGE = timedelta(hours=3)


@pytest.fixture
def rng() -> random.Random:
    return random.Random(new_seed())


def in_processes(deeds: list[Callable[[], None]]) -> None:
    """Do each in a child of its own, all at once."""
    connections.close_all()
    beginning, begin = os.pipe()

    def do(deed: Callable[[], None]) -> None:
        os.close(begin)
        connection.ensure_connection()
        os.read(beginning, 1)
        deed()

    children = [child for deed in deeds if (child := forked(partial(do, deed)))]
    os.close(begin)  # for which all of them wait
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(deeds)
    os.close(beginning)


def forked(deed: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        deed()
        status = 0
    except BaseException:  # noqa: BLE001 - a child says what it was, and returns to nobody
        traceback.print_exc()
    finally:
        os._exit(status)


def in_threads(deeds: list[Callable[[], None]]) -> None:
    def do(deed: Callable[[], None]) -> None:
        try:
            deed()
        finally:
            connections.close_all()

    threads = [Thread(target=do, args=[deed]) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


Together = Callable[[list[Callable[[], None]]], None]
in_both_ways = pytest.mark.parametrize(("together", "candles"), [(in_processes, 300), (in_threads, 200)])


def messages_of(candles: int, rng: random.Random) -> list[datetime]:
    """Return each candle as often as two beats and an unreliable broker deliver it, nearly in order."""
    openings = [NOON + number * timedelta(minutes=1) for number in range(candles)]
    messages = [each for each in openings for _ in range(BEATS) for _ in range(rng.randint(1, 10))]
    return sorted(messages, key=lambda each: (each - NOON) + timedelta(minutes=rng.uniform(0, 3)))


def claim_all(subscriptions: list[Subscription], messages: list[datetime]) -> None:
    """Do what a worker does with each message before it decides."""
    for opened_at in messages:
        due = list(wave.due("1m", opened_at).filter(pk__in=[each.pk for each in subscriptions]))
        if due:
            wave.claim(due, "1m", opened_at)


def doubles_after(candles: int, together: Together, rng: random.Random) -> int:
    """Let the workers share the messages; return how many cycles there are too many, none too few."""
    bot, bob, market = make_bot(), make_user("bob"), make_market()
    subscriptions = [make_subscription(bob, bot=bot, market=market) for _ in range(2)]
    messages = messages_of(candles, rng)
    hands: list[list[datetime]] = [[] for _ in range(WORKERS)]
    for message in messages:
        rng.choice(hands).append(message)

    together([lambda hand=hand: claim_all(subscriptions, hand) for hand in hands])  # type: ignore[misc]

    cycles = Cycle.objects.values("subscription", "candle_opened_at").order_by()
    times = list(cycles.annotate(times=Count("pk")).values_list("times", flat=True))
    print(f"{candles} candles, {len(messages)} messages, {sum(times)} cycles")
    assert len(times) == candles * len(subscriptions)
    return sum(times) - len(times)


@contextmanager
def without_the_constraint() -> Iterator[None]:
    constraint = next(c for c in Cycle._meta.constraints if c.name == "one_cycle_per_candle")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Cycle, constraint)
    try:
        yield
    finally:
        Cycle.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Cycle, constraint)


@in_both_ways
def test_each_candle_has_one_cycle_however_often_it_is_told(
    rng: random.Random, together: Together, candles: int
) -> None:
    assert doubles_after(candles, together, rng) == 0


@pytest.mark.release
def test_each_of_five_thousand_candles_has_one_cycle(rng: random.Random) -> None:
    assert doubles_after(5_000, in_processes, rng) == 0


@in_both_ways
def test_without_the_constraint_candles_have_two(
    rng: random.Random, together: Together, candles: int
) -> None:
    """The control arm."""
    with without_the_constraint():
        assert doubles_after(candles, together, rng) > 0


@pytest.fixture
def market(request: pytest.FixtureRequest, simulator: Simulator) -> Market:
    exchange: str = getattr(request, "param", "BINANCE")
    refresh_markets(exchange)
    return Market.objects.get(exchange=exchange, trading_pair=PAIR)


@pytest.mark.parametrize("market", EXCHANGES, indirect=True)
def test_a_message_that_reaches_four_workers_ten_times_trades_once(
    market: Market, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", 2.0)
    bot, traders = make_bot(), [simulator.trader(market.exchange) for _ in range(3)]
    subscriptions = [subscribed(each, bot=bot, market=market, timeframe="1h") for each in traders]
    opened_at = last_closed("1h", timezone.now() - 2 * SETTLING).isoformat()

    def work() -> None:
        for _ in range(MOST_DELIVERIES):
            tasks.run_market(market.pk, "1h", opened_at)

    in_threads([work] * WORKERS)

    assert Cycle.objects.filter(state=Cycle.State.DONE).count() == len(subscriptions)
    traded = Counter(Order.objects.filter(state=Order.State.FILLED).values_list("subscription", flat=True))
    assert traded == {each.pk: 1 for each in subscriptions}
    assert [len(each.orders()) for each in traders] == [1, 1, 1]


def late_messages(timeframe: str) -> list[str]:
    """Return the candles that closed during the outage, all of them stale by now."""
    newest = last_closed(timeframe, timezone.now())
    step = duration(timeframe)
    return [(newest - number * step).isoformat() for number in range(1, OUTAGE // step + 1)]


def test_three_hours_of_late_messages_place_no_order(market: Market) -> None:
    make_subscription(market=market, timeframe="5m")
    messages = late_messages("5m")

    for opened_at in messages:
        tasks.run_market(market.pk, "5m", opened_at)

    assert not Order.objects.exists()
    cycles = Cycle.objects.all()
    assert len(cycles) == len(messages) == 36
    assert {cycle.skip for cycle in cycles} == {SkipReason.STALE_CANDLE}


def test_without_the_age_limit_late_messages_trade(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control arm."""
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", 1_000.0)
    make_subscription(market=market, timeframe="5m")

    for opened_at in late_messages("5m")[:2]:
        tasks.run_market(market.pk, "5m", opened_at)

    assert Order.objects.exists()


def test_after_an_outage_only_the_newest_candle_is_asked_for(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", 2.0)
    for _ in range(5):
        make_subscription(market=market, timeframe="1h")
    celery_app.control.purge()

    for _ in range(OUTAGE // timedelta(minutes=1)):  # each tick and sweep that was waiting
        tasks.tick("1h")
    waiting = [json.loads(message) for message in gateways.shared_redis().lrange("celery", 0, -1)]
    celery_app.control.purge()
    asked = {message["headers"]["argsrepr"] for message in waiting}
    tasks.run_market(market.pk, "1h", last_closed("1h", timezone.now() - 2 * SETTLING).isoformat())
    tasks.sweep()

    assert len(asked) == 1
    assert all(message["headers"]["expires"] for message in waiting)
    assert gateways.shared_redis().llen("celery") == 0  # once it is decided, nothing more is asked for
    assert Cycle.objects.count() == Order.objects.count() == 5
