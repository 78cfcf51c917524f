"""How far bots may trade is for their trader, and for staff, to say; no bot lifts it."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEntry, User
from bot_sdk.parameters import ConfigError
from bot_sdk.skip_reasons import SkipReason
from exchanges.gateway import OrderReport
from execution import envelope
from execution.models import Cycle, Order, Position
from execution.orders import Intent, place_order, position_of
from subscriptions import lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription, TradingState, TradingSwitch
from subscriptions.switches import (
    halted_among,
    set_envelope,
    set_platform_state,
    set_trader_state,
    standing_of,
)
from tests.execution.proof import new_seed
from tests.execution.test_orders import CountingGateway, signal
from tests.execution.test_watching import holding, look, stops_of, trades
from tests.factories import make_bot, make_candles, make_market, make_subscription, trader_of

pytestmark = pytest.mark.django_db

ACTIVE, REDUCING, HALTED = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED


def test_everybody_trades_until_somebody_says_otherwise(bob: User) -> None:
    assert standing_of(bob.pk).state == ACTIVE
    assert halted_among({bob.pk}) == set()


@pytest.mark.parametrize(
    ("own", "platforms", "state", "is_platforms"),
    [
        (HALTED, ACTIVE, HALTED, False),
        (ACTIVE, HALTED, HALTED, True),
        (REDUCING, HALTED, HALTED, True),
        (HALTED, REDUCING, HALTED, False),
        (REDUCING, REDUCING, REDUCING, True),
    ],
)
def test_the_stricter_switch_holds(  # noqa: PLR0917 - parameters
    bob: User, mona: User, own: TradingState, platforms: TradingState, state: str, is_platforms: bool
) -> None:
    set_trader_state(trader=bob, state=own, reason="mine")
    set_platform_state(state=platforms, reason="ours", by=mona)

    standing = standing_of(bob.pk)

    assert (standing.state, standing.is_platforms) == (state, is_platforms)
    assert standing.reason == ("ours" if is_platforms else "mine")
    assert halted_among({bob.pk}) == ({bob.pk} if state == HALTED else set())


def test_asking_takes_one_query(bob: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        standing_of(bob.pk)


def test_the_platform_needs_a_reason_that_is_logged(mona: User) -> None:
    with pytest.raises(SubscriptionError, match="Say why"):
        set_platform_state(state=HALTED, reason="  ", by=mona)
    assert not TradingSwitch.objects.exists()

    set_platform_state(state=HALTED, reason="The exchange is down.", by=mona)

    entry = AuditEntry.objects.get(actor=mona)
    assert (entry.action, entry.details["reason"]) == ("platform.trading", "The exchange is down.")


def test_there_is_one_switch_of_the_platform(mona: User) -> None:
    set_platform_state(state=HALTED, reason="x", by=mona)
    with pytest.raises(IntegrityError):
        TradingSwitch.objects.create(state=ACTIVE)


def sends(subscription: Subscription, side: str = "BUY") -> Order:
    return trades(subscription, side, "0.01", "60000")


def test_a_halt_sends_nothing_and_a_reduction_only_sells(bob: User) -> None:
    subscription = holding(trader=bob)

    set_trader_state(trader=bob, state=REDUCING)
    bought, sold = sends(subscription), trades(subscription, "SELL", "0.005", "60000", age=1)
    set_trader_state(trader=bob, state=HALTED)
    halted = trades(subscription, "SELL", "0.005", "60000", age=2)

    assert [order.state for order in (bought, sold, halted)] == ["NOT_SENT", "FILLED", "NOT_SENT"]
    assert "Only sales" in bought.message
    assert "halted" in halted.message


def test_one_traders_switch_is_nobody_elses(bob: User, charlie: User) -> None:
    set_trader_state(trader=charlie, state=HALTED)

    assert sends(make_subscription(bob)).state == Order.State.FILLED


def test_while_trading_is_halted_no_stop_acts_and_it_does_not_count_as_watched(bob: User) -> None:
    subscription = holding(trader=bob)
    Position.objects.update(watched_at=None)
    set_trader_state(trader=bob, state=HALTED)

    look(subscription.market, "1000")
    assert stops_of(subscription) == []
    assert position_of(subscription).watched_at is None

    set_trader_state(trader=bob, state=ACTIVE)
    look(subscription.market, "1000")
    assert [order.state for order in stops_of(subscription)] == [Order.State.FILLED]


def test_exposure_counts_all_positions_and_the_new_order(bob: User) -> None:
    first = holding(trader=bob)
    make_candles(first.market, count=1, close=Decimal(60_000))
    second = make_subscription(bob)
    set_envelope(trader=bob, quote="USDT", max_exposure=Decimal(1200), max_daily_loss=None)

    assert envelope.objection(second, "BUY", Decimal(600)) is None
    assert envelope.objection(second, "BUY", Decimal("600.01")) == SkipReason.EXPOSURE_LIMIT
    assert envelope.objection(second, "SELL", Decimal(10_000)) is None
    order = trades(second, "BUY", "0.011", "60000")
    assert (order.state, "hold as much" in order.message) == (Order.State.NOT_SENT, True)
    assert sends(make_subscription(bob), "BUY").state == Order.State.FILLED


def test_an_order_that_rests_counts_with_its_price(bob: User) -> None:
    resting = make_subscription(bob)
    trades(resting, "BUY", "0.01", "60000", limit="50000")

    together = envelope.together_of(bob, "USDT", is_on_paper=True)

    assert together.exposure == 500


def test_the_days_loss_of_all_bots_together_ends_buying(bob: User) -> None:
    first, second = holding(trader=bob), make_subscription(bob)
    make_candles(first.market, count=1, close=Decimal(50_000))  # 100 less, and the fee
    look(first.market, "60000")
    set_envelope(trader=bob, quote="USDT", max_exposure=None, max_daily_loss=Decimal("100.6"))

    assert envelope.together_of(bob, "USDT", is_on_paper=True).loss_today == Decimal("100.6")
    assert envelope.together_of(bob, "USDT", is_on_paper=True).result_today == Decimal("-100.6")
    assert envelope.objection(second, "BUY", Decimal(1)) == SkipReason.TRADER_DAILY_LOSS
    set_envelope(trader=bob, quote="USDT", max_exposure=None, max_daily_loss=Decimal("100.61"))
    assert envelope.objection(second, "BUY", Decimal(1)) is None


def test_other_currencies_and_other_people_do_not_count(bob: User, charlie: User) -> None:
    holding(trader=charlie)
    holding(trader=bob, market=make_market(trading_pair="BTC/USDC"))

    assert envelope.together_of(bob, "USDT", is_on_paper=True).exposure == 0


def test_the_sum_takes_as_many_queries_for_many(
    bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bot = make_bot()
    for _ in range(4):
        make_subscription(bob, bot=bot)

    with django_assert_num_queries(3):
        envelope.together_of(bob, "USDT", is_on_paper=True)


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "1000000001"])
def test_a_limit_that_makes_no_sense_is_refused(bob: User, amount: str) -> None:
    with pytest.raises(ConfigError) as refused:
        set_envelope(trader=bob, quote="USDT", max_exposure=Decimal(amount), max_daily_loss=None)
    assert list(refused.value.problems) == ["max_exposure"]


class SlowGateway(CountingGateway):
    """Takes a moment until an order leaves, as a network does; notes when each one left."""

    left_at: list[float]

    def create_market_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        client_order_id: str,
        *,
        send_by: datetime | None = None,
    ) -> OrderReport:
        time.sleep(random.uniform(0, 0.05))
        self.left_at.append(time.monotonic())
        return super().create_market_order(trading_pair, side, amount, client_order_id, send_by=send_by)


def order_after_order(subscription: Subscription, gateway: SlowGateway, ends_at: float) -> None:
    """Place orders as fast as it goes; each is for a moment of its own."""
    moment = timezone.now()
    while time.monotonic() < ends_at:
        moment += timedelta(seconds=1)
        side = "SELL" if position_of(subscription).base_amount else "BUY"
        place_order(
            Intent(
                subscription=subscription,
                signal=signal(side, "0.01"),
                moment_at=moment,
                sized_for=position_of(subscription).holding,
                fresh_until=timezone.now() + timedelta(seconds=5),
            ),
            gateway,
        )
    connection.close()


def late_orders(subscription: Subscription, stop: Callable[[], object], rounds: int) -> int:
    """Return how many orders left after `stop` had returned, over so many races."""
    late = 0
    for _ in range(rounds):
        TradingSwitch.objects.update(state=ACTIVE)
        lifecycle.resume(subscription=subscription)
        cycle = Cycle(subscription=subscription)
        gateway = SlowGateway(cycle)
        gateway.left_at = []
        end = time.monotonic() + 0.25
        worker = threading.Thread(target=order_after_order, args=(subscription, gateway, end))
        worker.start()
        time.sleep(random.uniform(0.02, 0.2))
        stop()
        returned_at = time.monotonic()
        worker.join()
        late += sum(left > returned_at for left in gateway.left_at)
    return late


@pytest.mark.django_db(transaction=True)
def test_after_the_switch_returns_no_order_leaves(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    random.seed(new_seed())
    subscription = make_subscription(bob)
    position_of(subscription)

    def halt() -> None:
        set_trader_state(trader=bob, state=HALTED)

    assert late_orders(subscription, halt, rounds=25) == 0
    assert Order.objects.filter(state=Order.State.FILLED).exists()

    monkeypatch.setattr("subscriptions.switches.wait_until_quiet", lambda _: None)
    assert late_orders(subscription, halt, rounds=25) > 0


def halt_own(subscription: Subscription) -> None:
    set_trader_state(trader=trader_of(subscription), state=HALTED)


def halt_all(subscription: Subscription) -> None:
    set_platform_state(state=HALTED, reason="We look.", by=subscription.bot.developer)


def pause(subscription: Subscription) -> None:
    lifecycle.pause(subscription=subscription)


def halt_while_it_is_paused(subscription: Subscription) -> None:
    """Return with the switch; the pause may take longer."""

    def pause_elsewhere() -> None:
        pause(subscription)
        connection.close()

    threading.Thread(target=pause_elsewhere).start()
    time.sleep(random.uniform(0, 0.02))
    halt_own(subscription)


@pytest.mark.release
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stop", [halt_own, halt_all, pause, halt_while_it_is_paused])
def test_after_a_thousand_stops_no_order_leaves(bob: User, stop: Callable[[Subscription], None]) -> None:
    random.seed(new_seed())
    subscription = make_subscription(bob)
    position_of(subscription)

    assert late_orders(subscription, lambda: stop(subscription), rounds=250) == 0
    assert Order.objects.filter(state=Order.State.FILLED).count() > 25  # the machine may be busy


@pytest.mark.django_db(transaction=True)
def test_the_switch_waits_also_for_an_order_of_what_was_just_paused(bob: User) -> None:
    subscription = make_subscription(bob, state=Subscription.State.PAUSED)
    leaves_until = timezone.now() + timedelta(seconds=0.5)
    Subscription.objects.filter(pk=subscription.pk).update(sending_until=leaves_until)

    set_trader_state(trader=bob, state=HALTED)

    assert timezone.now() >= leaves_until


def test_what_a_stopped_bot_lost_today_stays_lost(bob: User) -> None:
    subscription = holding(trader=bob)
    look(subscription.market, "60000")
    trades(subscription, "SELL", "0.01", "50000")
    lost = envelope.together_of(bob, "USDT", is_on_paper=True).loss_today

    lifecycle.stop(subscription=subscription)

    assert envelope.together_of(bob, "USDT", is_on_paper=True).loss_today == lost > 100
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert envelope.together_of(bob, "USDT", is_on_paper=True).loss_today == 0
