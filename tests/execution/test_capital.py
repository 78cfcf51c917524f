"""A trader puts capital in or takes some out; it is neither gain nor loss, and is never lost or doubled."""

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from bot_sdk.parameters import ConfigError
from bot_sdk.risk import SkipReason, buying_block
from exchanges.gateway import Ticker
from exchanges.models import ExchangeAccount, Market
from execution.capital import change_capital
from execution.concluding import conclude_all
from execution.cycle import MarketMoment
from execution.deciding import Decided
from execution.invariants import find_breaches
from execution.models import Cycle, Order, Position, SubscriptionPerformance
from execution.orders import position_of
from execution.performance import measure_all
from execution.protection import remember, seen
from execution.valuation import Price, Valuation, totals, value
from subscriptions import lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import CapitalChange, Subscription
from tests.execution.test_orders import CountingGateway, place, running_cycle, signal
from tests.execution.test_performance import FIRST_DAY, HOUR, NOW, measured
from tests.execution.test_watching import holding, trades
from tests.factories import make_candles, make_cycle, make_exchange_account, make_order, make_subscription

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(bob: User) -> Subscription:
    """Bob's on paper, with 10,000 USDT."""
    return make_subscription(bob)


def changed(subscription: Subscription, capital: str | int | Decimal) -> Subscription:
    subscription.refresh_from_db()
    revision = subscription.revision
    return change_capital(subscription=subscription, capital=Decimal(capital), revision=revision)


def refusal(subscription: Subscription, capital: str | int) -> str:
    with pytest.raises((ConfigError, SubscriptionError)) as caught:
        changed(subscription, capital)
    error = caught.value
    return error.problems["allocated_capital"] if isinstance(error, ConfigError) else str(error)


def spaced(words: str) -> str:
    return words.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")


def read(subscription: Subscription) -> Subscription:
    return Subscription.objects.with_names().select_related("position").get(pk=subscription.pk)


def valued(subscription: Subscription, price: str = "60000") -> Valuation:
    return value(read(subscription), Price(Decimal(price), timezone.now()))


def test_capital_and_free_balance_move_together_and_the_change_is_kept(subscription: Subscription) -> None:
    changed(subscription, 12_500)
    row = changed(subscription, "9000.5")

    assert (row.allocated_capital, row.revision) == (Decimal("9000.5"), 2)
    assert position_of(row).quote_balance == Decimal("9000.5")
    kept = CapitalChange.objects.filter(subscription=row).values_list("revision", "amount", "capital")
    assert list(kept) == [(2, Decimal("-3499.5"), Decimal("9000.5")), (1, Decimal(2500), Decimal(12_500))]
    [newest, _] = row.changes.all()
    [difference] = newest.differences
    assert {name: spaced(words) for name, words in difference.items()} == {
        "label": "Allocated capital",
        "old": "12 500.00 USDT",
        "new": "9 000.50 USDT",
    }
    assert find_breaches() == []


def test_the_capital_that_it_has_changes_nothing(subscription: Subscription) -> None:
    assert changed(subscription, 10_000).revision == 0
    assert not CapitalChange.objects.exists()


def test_only_what_is_free_can_be_taken_out_and_enough_stays() -> None:
    subscription = holding()  # 0.01 BTC for 600 and a fee of 0.6

    assert "At most 9389.4 USDT can be taken out now: 9399.4 USDT are free" in refusal(subscription, 610)
    make_candles(subscription.market)  # with a price what is held counts
    assert "At most 9399.4 USDT can be taken out now: 9399.4 USDT are free" in refusal(subscription, 600)
    assert refusal(subscription, "9.99") == "BTC/USDT on Binance needs at least 10 USDT."
    assert "up to 1,000,000,000" in refusal(subscription, 10**9 + 1)
    changed(subscription, "600.6")
    assert position_of(subscription).quote_balance == 0


def test_something_stays_where_the_market_takes_any_order(subscription: Subscription) -> None:
    Market.objects.update(minimum_cost=0)
    trades(subscription, "BUY", "0.1", "60000", age=2)
    trades(subscription, "SELL", "0.1", "30000", age=1)
    free, lost = position_of(subscription).quote_balance, valued(subscription).result_percent

    assert "enough to trade with has to stay" in refusal(subscription, str(10_000 - free))
    changed(subscription, 10_000 - free + Decimal("1e-8"))
    remember([read(subscription)], at=timezone.now(), bid=Decimal(30_000))

    assert valued(subscription).result_percent == lost


def test_what_waits_in_an_open_order_stays_and_what_is_on_its_way_is_waited_for(
    subscription: Subscription,
) -> None:
    waiting = make_order(
        make_cycle(subscription),
        state=Order.State.OPEN,
        kind=Order.Kind.LIMIT,
        limit_price=Decimal(50_000),
        amount=Decimal("0.1"),
    )

    assert "10000 USDT are free, 5005 USDT of them wait in open orders" in refusal(subscription, 5004)
    assert changed(subscription, 5005).allocated_capital == 5005

    Order.objects.filter(pk=waiting.pk).update(state=Order.State.UNKNOWN)
    assert "is not known yet" in refusal(subscription, 5004)
    assert changed(subscription, 5006).allocated_capital == 5006

    Order.objects.update(state=Order.State.OPEN, kind=Order.Kind.MARKET, limit_price=None)
    assert "is not known yet" in refusal(subscription, 5005)


def test_only_what_its_trader_runs_or_paused_is_changed(subscription: Subscription) -> None:
    lifecycle.pause(subscription=subscription)
    changed(subscription, 11_000)
    lifecycle.stop(subscription=subscription)

    assert "is stopped: it cannot be changed" in refusal(subscription, 12_000)
    ours = make_subscription()
    Subscription.objects.filter(pk=ours.pk).update(trader=None)
    assert "own runs keep the capital" in refusal(ours, 12_000)
    with pytest.raises(SubscriptionError, match="Look at it again"):
        change_capital(subscription=make_subscription(), capital=Decimal(11_000), revision=1)


def test_at_an_exchange_only_what_is_free_beside_other_budgets_is_put_in(bob: User) -> None:
    account = make_exchange_account(
        bob,
        label="Real",
        balances={"USDT": {"free": "20000", "locked": "0"}},
        balances_at=timezone.now() - timedelta(hours=1),
    )
    subscription = make_subscription(bob, account=account)
    make_subscription(bob, account=account, allocated_capital=Decimal(7000))

    said = refusal(subscription, "13000.01")
    assert said == "Real has 3000 USDT that no other subscription may use. Enter at most 13000 USDT."
    with CaptureQueriesContext(connection) as queries:
        assert changed(subscription, 13_000).allocated_capital == 13_000
    reads = [each["sql"] for each in queries if " FOR " in each["sql"]]
    locks = [sql.partition(" FROM ")[2].split()[0] for sql in reads]
    assert locks[:3] == [
        '"subscriptions_subscription"',
        '"exchanges_exchangeaccount"',
        '"execution_position"',
    ]  # in the order of who sends an order, or each could wait for the other
    assert "has 0 USDT" in refusal(subscription, 13_001)

    ExchangeAccount.objects.update(state=ExchangeAccount.State.REFUSED)
    with pytest.raises(ConfigError, match="not usable"):
        changed(subscription, 14_000)
    assert changed(subscription, 500).allocated_capital == 500


def test_what_was_sized_by_the_capital_before_is_not_ordered(subscription: Subscription) -> None:
    cycle = running_cycle(subscription)
    changed(subscription, 20_000)

    order = place(cycle, signal(), gateway := CountingGateway(cycle))

    assert (order.state, gateway.sent) == (Order.State.NOT_SENT, [])


@pytest.mark.django_db(transaction=True)
def test_of_a_buy_and_a_withdrawal_at_once_neither_takes_the_others_money(bob: User) -> None:
    subscription = make_subscription(bob)
    position_of(subscription)
    said: list[str] = []

    for number in range(6):
        cycle = running_cycle(subscription, age=number)
        start = threading.Barrier(2)

        def buy(cycle: Any = cycle, start: threading.Barrier = start) -> None:
            start.wait()
            place(cycle, signal(amount="0.02"), CountingGateway(cycle))
            connection.close()

        buyer = threading.Thread(target=buy)
        buyer.start()
        start.wait()
        subscription.refresh_from_db()
        try:
            changed(subscription, subscription.allocated_capital - 1500)
        except (ConfigError, SubscriptionError) as error:
            said.append(str(error))
        buyer.join()

    position = Position.objects.get()
    subscription.refresh_from_db()
    assert position.quote_balance >= 0
    assert position.holding.capital == subscription.allocated_capital
    assert find_breaches() == []


def concluded(subscription: Subscription, price: str, opened_at: datetime) -> None:
    """Have a cycle end in which nothing was decided, at this price."""
    position_of(subscription)
    cycle = running_cycle(subscription, candle_opened_at=opened_at, candle_closed_at=opened_at + HOUR)
    cycles = list(Cycle.objects.filter(pk=cycle.pk).to_conclude())
    ticker = Ticker(last=Decimal(price), bid=Decimal(price), ask=Decimal(price), at=timezone.now())
    moment = MarketMoment(subscription.market, subscription.timeframe, opened_at, ticker)
    conclude_all(moment, [Decided(cycles, run=None, gap="It was not asked.")])


def lived(bob: User, *flows: int) -> Subscription:
    """One that goes in with half of what it has on each of three days, and out; then so much flows.

    It wins 10 % of that half, then loses 20 %, then wins 5 %.
    """
    subscription = make_subscription(bob, timeframe="1h", risk_config={})
    for day, (price, flow) in enumerate(zip(("66000", "48000", "63000"), flows, strict=True)):
        amount = subscription.market.rules.round_down(position_of(subscription).quote_balance / 120_000)
        trades(subscription, "BUY", str(amount), "60000", age=10 - 2 * day, cycle=None)
        trades(subscription, "SELL", str(amount), price, age=9 - 2 * day, cycle=None)
        concluded(subscription, price, FIRST_DAY + day * DAY)
        if flow:
            changed(subscription, int(subscription.allocated_capital) + flow)
        subscription.refresh_from_db()
    return subscription


def test_returns_and_drawdown_are_those_of_the_same_trades_without_flows(bob: User) -> None:
    alone, moved = lived(bob, 0, 0, 0), lived(bob, 50_000, -49_000, 3000)
    measure_all(NOW)

    plain, flowed = measured(alone).metrics, measured(moved).metrics
    for figure in ("total_return_percent", "max_drawdown_percent", "best_day_percent", "worst_day_percent"):
        assert flowed[figure] == pytest.approx(plain[figure], abs=0.01)
    assert plain["max_drawdown_percent"] == pytest.approx(10.1, abs=0.1)
    worth, worth_alone = valued(moved), valued(alone)
    assert float(worth.result_percent or 0) == pytest.approx(float(worth_alone.result_percent or 0), abs=0.01)
    remember([read(alone), read(moved)], at=timezone.now(), bid=Decimal(60_000))
    falls = [1 - each.quote_balance / each.past.peak_equity for each in map(position_of, (alone, moved))]
    assert float(falls[1]) == pytest.approx(float(falls[0]), abs=1e-4)
    assert float(falls[0]) == pytest.approx(0.078, abs=0.002)

    # counted as gain, what flowed makes another return; and in money it was another loss
    assert worth.result is not None
    assert float(worth.result) / 14_000 < -0.35
    assert flowed["net_profit"] == pytest.approx(float(worth.result))
    assert flowed["net_profit"] < 5 * plain["net_profit"] < 0
    assert flowed["max_drawdown_money"] > 5 * plain["max_drawdown_money"]
    assert flowed["turnover"] is None


def test_measured_in_steps_or_at_once_what_flowed_comes_to_the_same(bob: User) -> None:
    subscription = make_subscription(bob, timeframe="1h")
    for day, capital in enumerate((15_000, 8000, 20_000)):
        trades(subscription, "BUY", "0.01", "60000", age=5 - day, cycle=None)
        concluded(subscription, str(60_000 + 1000 * day), FIRST_DAY + day * DAY)
        subscription = changed(subscription, capital)
        measure_all(NOW)
    in_steps = measured(subscription)

    SubscriptionPerformance.objects.all().delete()
    measure_all(NOW)

    assert measured(subscription).daily == in_steps.daily
    assert measured(subscription).metrics == in_steps.metrics
    assert len(in_steps.daily["money"]) == 4


def test_what_is_changed_while_it_is_measured_first_began_with_what_there_was(bob: User) -> None:
    subscription = make_subscription(bob, timeframe="1h")
    concluded(subscription, "60000", FIRST_DAY)

    def meanwhile(execute: Any, sql: str, *others: Any) -> Any:
        found = execute(sql, *others)
        if "capitalchange" in sql or "execution_position" in sql:
            wrappers.pop()
            changed(subscription, 20_000)
        return found

    wrappers = connection.execute_wrappers
    wrappers.append(meanwhile)
    measure_all(NOW)

    assert subscription.capital_changes.exists()
    assert measured(subscription).daily["equity"] == [10_000, 10_000]


def test_at_one_price_a_flow_changes_no_figure_but_the_balances() -> None:
    subscription = holding()
    remember([read(subscription)], at=timezone.now(), bid=Decimal(50_000))
    before = valued(subscription, "55000")

    changed(subscription, 30_000)
    just_then = valued(subscription, "55000")
    remember([read(subscription)], at=timezone.now(), bid=Decimal(55_000))
    seen = valued(subscription, "55000")

    for after in (just_then, seen):
        assert (after.result, after.result_today) == (before.result, before.result_today)
        assert after.result_percent == before.result_percent
        assert after.equity == (before.equity or 0) + 20_000
    [total] = totals([(read(subscription), seen)])
    assert (total.result_percent, total.result_today) == (before.result_percent, before.result_today)


def block(subscription: Subscription, bid: int) -> SkipReason | None:
    """Say what forbids a buy at this bid."""
    row, now = read(subscription), timezone.now()
    return buying_block(
        holding=row.position.holding,
        bid=Decimal(bid),
        risk=row.risk,
        allocated_capital=row.allocated_capital,
        state=seen(row.position, row.risk, at=now, bid=Decimal(bid)),
        at=now,
    )


def test_taking_out_trips_no_limit_and_putting_in_lifts_none(bob: User) -> None:
    subscription = make_subscription(bob, risk_config={"max_daily_loss_percent": 5.0})
    trades(subscription, "BUY", "0.1", "60000", age=1)  # for 6,000
    remember([read(subscription)], at=timezone.now(), bid=Decimal(60_000))

    changed(subscription, 6500)  # of which 400 would be more than 5 %
    assert block(subscription, 56_000) is None
    assert block(subscription, 55_000) == SkipReason.DAILY_LOSS_LIMIT

    changed(subscription, 100_000)  # of which 500 would be less
    assert block(subscription, 55_000) == SkipReason.DAILY_LOSS_LIMIT
