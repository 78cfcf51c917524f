"""Orders of several subscriptions on one account, in any order of events: I5 and I6 hold at every step.

The edge is a small honest exchange in memory, with the fees and the delays of one of the three; it answers,
loses answers and lags as the rules want it. All else is the platform's own: its operations on its rows in
PostgreSQL, with the clock moved on by the rules.
"""

import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from bot_sdk.risk import Signal
from exchanges.errors import ExchangeError, ExchangeUnavailable, OrderRejected, OutcomeUnknown
from exchanges.gateway import ARRIVES_WITHIN, AccountFill, OrderReport, OrderState, PlacedOrder, Ticker
from exchanges.gateway import Fill as FillReport
from exchanges.paper_gateway import PaperGateway
from execution import orders, settling
from execution.models import NOT_FINAL, Fill, Order, Position
from execution.orders import Intent, book, fold, place_order, position_of
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.execution.proof import new_seed
from tests.factories import NOON, make_bot, make_exchange_account, make_market, make_subscription, make_user

EXCHANGES = ("BINANCE", "COINBASE", "KRAKEN")
FEE = Decimal("0.001")
STEP = Decimal("0.00001")
ANSWERED = ("fills", "fills", "fills in part", "rests", "refuses", "never asked")
LOST = (
    "answer lost",
    "request lost",
    "worker dies before it leaves",
    "worker dies after it has left",
    "arrives late",
)


class Killed(BaseException):
    """The worker is gone in the middle of sending."""


@dataclass
class Resting:
    """An order as the exchange has it."""

    pair: str
    side: str
    amount: Decimal
    price: Decimal
    client_id: str
    number: str
    state: OrderState = OrderState.OPEN
    fills: list[FillReport] = field(default_factory=list)

    @property
    def report(self) -> OrderReport:
        return OrderReport(self.client_id, self.number, self.state, tuple(self.fills))


class SmallExchange:
    """Keeps every order that arrives, a doubled one too, and all that it ever reported."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.orders: list[Resting] = []
        self.on_their_way: list[tuple[datetime, Resting]] = []
        self.sent: list[str] = []
        self.breaches: list[str] = []
        self.reports: list[OrderReport] = []
        self._numbers = itertools.count(1)

    def number(self) -> int:
        return next(self._numbers)

    def fill(self, order: Resting, amount: Decimal) -> None:
        base, _, quote = order.pair.partition("/")
        is_fee_in_base = self.name == "BINANCE" and order.side == "BUY"  # it charges what is received
        fee = (amount if is_fee_in_base else amount * order.price) * FEE
        number = f"T{self.number()}"
        currency = base if is_fee_in_base else quote
        now = timezone.now()
        cost = amount * order.price
        order.fills.append(FillReport(number, order.price, amount, cost, fee, currency, now))
        if sum(fill.amount for fill in order.fills) == order.amount:
            order.state = OrderState.FILLED

    def land(self) -> None:
        """Take what was on its way for long enough."""
        now = timezone.now()
        for lands_at, order in list(self.on_their_way):
            if lands_at <= now:
                self.on_their_way.remove((lands_at, order))
                self.orders.append(order)
                self.fill(order, order.amount)

    def told(self, order: Resting) -> OrderReport:
        self.reports.append(order.report)
        return order.report


def prices() -> Ticker:
    price = Decimal(60_000)
    return Ticker(price, price, price, timezone.now())


class Desk:
    """One account's gateway to the small exchange; `answer` is what becomes of the next order."""

    def __init__(self, exchange: SmallExchange, subscription: Subscription, answer: str = "fills") -> None:
        self._exchange = exchange
        self._account, self._market = subscription.account_id or 0, subscription.market_id
        self._answer = answer
        self.lags = False  # its lists do not show what they hold

    def create_market_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        client_order_id: str,
        *,
        send_by: datetime | None = None,  # noqa: ARG002 - nothing is late here
    ) -> OrderReport:
        exchange, answer = self._exchange, self._answer
        if answer == "refuses":
            raise OrderRejected("no_funds: the exchange says no")
        if answer == "never asked":
            raise ExchangeUnavailable("no connection")
        if answer == "worker dies before it leaves":
            raise Killed
        self._look_for_a_breach(client_order_id)
        exchange.sent.append(client_order_id)
        price, number = Decimal(59_000 + 100 * exchange.number() % 2_000), f"E{exchange.number()}"
        order = Resting(trading_pair, side, amount, price, client_order_id, number)
        if answer == "request lost":
            raise OutcomeUnknown("no answer")
        if answer == "arrives late":
            delay = ARRIVES_WITHIN[exchange.name] - timedelta(seconds=1)
            exchange.on_their_way.append((timezone.now() + delay, order))
            raise OutcomeUnknown("no answer")
        exchange.orders.append(order)
        if answer in ("fills", "answer lost", "worker dies after it has left"):
            exchange.fill(order, amount)
        elif answer == "fills in part":
            exchange.fill(order, max((amount / 2).quantize(STEP, ROUND_DOWN), STEP))
        if answer in ("answer lost", "worker dies after it has left"):
            exchange.told(order)  # to those who listen, and nobody does yet
        if answer == "answer lost":
            raise OutcomeUnknown("no answer")
        if answer == "worker dies after it has left":
            raise Killed
        return exchange.told(order)

    def create_limit_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        price: Decimal,  # noqa: ARG002 - the exchange sets its own
        client_order_id: str,
        *,
        stop_price: Decimal | None = None,  # noqa: ARG002 - no stops here
        send_by: datetime | None = None,
    ) -> OrderReport:
        return self.create_market_order(trading_pair, side, amount, client_order_id, send_by=send_by)

    def find_order(self, client_order_id: str, since: datetime) -> OrderReport | None:  # noqa: ARG002
        self._exchange.land()
        found = [order for order in self._exchange.orders if order.client_id == client_order_id]
        return None if self.lags or not found else self._exchange.told(found[0])

    def fetch_order(self, exchange_order_id: str) -> OrderReport:
        return self._exchange.told(self._order(exchange_order_id))

    def cancel_order(self, exchange_order_id: str) -> OrderReport:
        order = self._order(exchange_order_id)
        if order.state == OrderState.OPEN:
            order.state = OrderState.CANCELED
        return self._exchange.told(order)

    def fetch_open_orders(self) -> list[OrderReport]:
        return [order.report for order in self._exchange.orders if order.state == OrderState.OPEN]

    def fetch_placed(self, since: datetime) -> list[PlacedOrder]:  # noqa: ARG002 - nobody asks here
        return []

    def fetch_fills(self, since: datetime) -> list[AccountFill]:  # noqa: ARG002 - nobody asks here
        return []

    def _order(self, number: str) -> Resting:
        found = [order for order in self._exchange.orders if order.number == number]
        if not found:
            raise ExchangeError(f"there is no order {number}")
        return found[0]

    def _look_for_a_breach(self, client_order_id: str) -> None:
        """I5, asked at the exchange's door in words of its own."""
        if client_order_id in self._exchange.sent:
            self._exchange.breaches.append(f"{client_order_id} was sent twice")
        is_lost = Q(state="SENDING", send_by__lt=timezone.now())
        here = Order.objects.filter(
            subscription__account=self._account, subscription__market=self._market
        ).exclude(client_order_id=client_order_id)
        for order in here.filter(Q(state="UNKNOWN") | is_lost):
            self._exchange.breaches.append(f"{client_order_id} was sent while {order.pk} is {order.state}")


@dataclass
class Cast:
    """Two subscriptions on one account and market, one beside them, one on paper."""

    exchange: str
    clock: Any
    subscriptions: list[Subscription]


class OrderMachine(RuleBasedStateMachine):
    """What may happen to orders, in any order."""

    cast: Cast
    tally: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._undo = transaction.atomic()
        self._undo.__enter__()
        self.cast.clock.move_to(NOON)
        self.exchange = SmallExchange(self.cast.exchange)
        self.fence_seconds = int(ARRIVES_WITHIN[self.cast.exchange].total_seconds()) + 9
        self.ends: dict[int, str] = {}
        self.moments = itertools.count()
        self.has_paper_orders = False

    def teardown(self) -> None:
        """Look after everything until nothing is left to ask; then both books say the same."""
        try:
            if not self.exchange.breaches:
                self._settle_all()
                self._compare_books()
        finally:
            transaction.set_rollback(True)
            self._undo.__exit__(None, None, None)

    @rule(which=st.integers(0, 3), answer=st.sampled_from(ANSWERED), size=st.integers(1, 50))
    def buy(self, which: int, answer: str, size: int) -> None:
        self._place(which, "BUY", answer, size)

    @rule(which=st.integers(0, 3), answer=st.sampled_from(ANSWERED), is_limit=st.booleans())
    def sell(self, which: int, answer: str, is_limit: bool) -> None:
        self._place(which, "SELL", answer, 1, is_limit=is_limit)

    @rule(which=st.integers(0, 3), answer=st.sampled_from(["fills in part", "rests"]))
    def buy_with_a_limit(self, which: int, answer: str) -> None:
        self._place(which, "BUY", answer, 10, is_limit=True)

    @rule(which=st.integers(0, 3), answer=st.sampled_from(LOST))
    def buy_and_hear_nothing(self, which: int, answer: str) -> None:
        self._place(which, "BUY", answer, 5)

    @rule(which=st.integers(0, 3), answer=st.sampled_from(LOST))
    def sell_and_hear_nothing(self, which: int, answer: str) -> None:
        self._place(which, "SELL", answer, 5)

    def _place(self, which: int, side: str, answer: str, size: int, *, is_limit: bool = False) -> None:
        subscription = Subscription.objects.with_names().get(pk=self.cast.subscriptions[which].pk)
        holding = position_of(subscription).holding
        held = holding.base_amount.quantize(STEP, ROUND_DOWN)
        is_sale = side == "SELL" and held > 0
        price = Decimal(60_000)
        signal = Signal(
            action="SELL" if is_sale else "BUY",
            amount=held if is_sale else size * Decimal("0.001"),
            reason="because",
            source="bot",
            skip=None,
            limit_price=price if is_limit else None,
        )
        self.has_paper_orders |= subscription.is_on_paper
        now = timezone.now()
        intent = Intent(
            subscription=subscription,
            signal=signal,
            moment_at=NOON + timedelta(minutes=next(self.moments)),
            sized_for=holding,
            fresh_until=now + timedelta(seconds=30),
            expires_at=now + timedelta(seconds=20) if is_limit else None,
        )
        self.tally["placed"] += 1
        try:
            place_order(intent, self._gateway(subscription, answer))
            self.tally[place_order(intent, self._gateway(subscription, "fills")).state] += 1
        except Killed:
            self.tally["killed"] += 1

    @rule(seconds=st.sampled_from([1, 6, 20, 60]))
    def wait(self, seconds: int) -> None:
        self.cast.clock.shift(timedelta(seconds=seconds))
        self.exchange.land()

    @rule(which=st.integers(0, 2))
    def look_after(self, which: int) -> None:
        self._look_after(which, lags=False)

    def _look_after(self, which: int, *, lags: bool) -> None:
        subscription = self.cast.subscriptions[which]
        desk = Desk(self.exchange, subscription)
        desk.lags = lags
        assert subscription.account_id is not None
        orders = list(settling.left_behind(subscription.account_id, subscription.market_id))
        settling.look_after(orders, desk, prices)

    @rule(which=st.integers(0, 2))
    def look_in_vain(self, which: int) -> None:
        """After the fence the lists still lack what is there, twice: worse than an exchange should be."""
        for seconds in (self.fence_seconds, 6):
            self.wait(seconds)
            self._look_after(which, lags=True)

    @rule()
    def sweep(self) -> None:
        settling.settle_on_paper(timezone.now())

    @precondition(lambda self: self.exchange.reports)
    @rule(data=st.data())
    def report_again(self, data: st.DataObject) -> None:
        """A report comes late or for a second time, whatever happened since."""
        report = data.draw(st.sampled_from(self.exchange.reports))
        book(order=self._row(report.client_order_id), report=report)

    @precondition(lambda self: self._resting())
    @rule(data=st.data(), is_whole=st.booleans())
    def trade(self, data: st.DataObject, is_whole: bool) -> None:
        """Somebody trades with an order that rests; we may hear of it at once."""
        order = data.draw(st.sampled_from(self._resting()))
        left = order.amount - sum(fill.amount for fill in order.fills)
        self.exchange.fill(order, left if is_whole else max((left / 2).quantize(STEP, ROUND_DOWN), STEP))
        if data.draw(st.booleans()):
            book(order=self._row(order.client_id), report=self.exchange.told(order))

    @precondition(lambda self: self._resting())
    @rule(data=st.data(), state=st.sampled_from([OrderState.CANCELED, OrderState.EXPIRED]))
    def end_at_the_exchange(self, data: st.DataObject, state: OrderState) -> None:
        """The trader cancels by hand, or the exchange ends it."""
        order = data.draw(st.sampled_from(self._resting()))
        order.state = state
        if data.draw(st.booleans()):
            book(order=self._row(order.client_id), report=self.exchange.told(order))

    @rule(which=st.integers(0, 3))
    def resume(self, which: int) -> None:
        """The trader goes on after an order did not fit the books."""
        lifecycle.resume(subscription=self.cast.subscriptions[which])

    @precondition(lambda self: self.has_paper_orders)
    @rule()
    def late_paper_report(self) -> None:
        """A worker that was thought dead books what the paper exchange said."""
        paper = Order.objects.on_paper().filter(sent_at__isnull=False).first()
        if paper is not None:
            gateway = self._gateway(paper.subscription, "fills")
            pair = paper.subscription.market.trading_pair
            number = str(paper.client_order_id)
            book(order=paper, report=gateway.create_market_order(pair, paper.side, paper.amount, number))

    @invariant()
    def nothing_was_sent_into_the_dark(self) -> None:
        assert not self.exchange.breaches, self.exchange.breaches

    @invariant()
    def books_hold(self) -> None:
        rows = Order.objects.select_related("subscription__account").prefetch_related("fills")
        by_subscription: dict[int, list[Fill]] = {each.pk: [] for each in self.cast.subscriptions}
        for order in rows:
            fills = list(order.fills.all())
            by_subscription[order.subscription_id] += fills
            self._check_fills(order, fills)
            self._check_end(order)
        positions = Position.objects.in_bulk(by_subscription, field_name="subscription_id")
        for subscription in self.cast.subscriptions:
            left = fold(subscription, by_subscription[subscription.pk])
            assert positions[subscription.pk].holding == left

    def _check_fills(self, order: Order, fills: list[Fill]) -> None:
        """All that we booked happened at the exchange, once, and is no more than was ordered."""
        assert sum(fill.amount for fill in fills) <= order.amount
        ours = [(fill.trade_id, fill.amount) for fill in fills]
        assert len(dict(ours)) == len(ours)
        if not order.subscription.is_on_paper and ours:
            theirs = [each for each in self.exchange.orders if each.client_id == str(order.client_order_id)]
            assert set(ours) <= {(fill.trade_id, fill.amount) for each in theirs for fill in each.fills}

    def _check_end(self, order: Order) -> None:
        """A final state stays; only that nothing was sent may be put right, by the exchange's own report."""
        before = self.ends.get(order.pk)
        if before is not None and before != order.state:
            assert before == Order.State.NOT_SENT, f"{order.pk} was {before} and is {order.state}"
            assert not order.subscription.is_on_paper
            self.tally["corrected"] += 1
        if order.state not in NOT_FINAL:
            self.ends[order.pk] = order.state

    def _gateway(self, subscription: Subscription, answer: str) -> Any:
        if subscription.account_id is not None:
            return Desk(self.exchange, subscription, answer)
        price = Decimal(60_000)
        ticker = Ticker(last=price, bid=price, ask=price, at=timezone.now())
        paper = PaperGateway("BTC/USDT", subscription.market.rules, ticker)
        return DyingPaper(paper) if answer.startswith("worker dies") else paper

    def _resting(self) -> list[Resting]:
        return [order for order in self.exchange.orders if order.state == OrderState.OPEN]

    def _row(self, client_id: str) -> Order:
        return Order.objects.get(client_order_id=client_id)

    def _settle_all(self) -> None:
        for order in self._resting():
            order.state = OrderState.CANCELED
        for _ in range(3):
            self.cast.clock.shift(timedelta(seconds=400))
            for which in range(3):
                self._look_after(which, lags=False)
            self.sweep()

    def _compare_books(self) -> None:
        """No orphan: what the exchange has is in our books, unless staff were told that it does not fit."""
        doubted = Order.objects.filter(state=Order.State.UNKNOWN)
        assert all("does not fit our books" in order.message for order in doubted)
        assert not Order.objects.unfinished().exclude(state=Order.State.UNKNOWN).exists()
        self.tally["doubted"] += doubted.count()
        assert max(Counter(self.exchange.sent).values(), default=0) <= 1
        lagged = Order.objects.filter(state=Order.State.NOT_SENT)
        excused = {str(order.client_order_id) for order in [*doubted, *lagged]}
        for order in self.exchange.orders:
            if order.client_id not in excused:
                ours = self._row(order.client_id)
                assert ours.state == order.state
                assert {f.trade_id for f in ours.fills.all()} == {f.trade_id for f in order.fills}


class DyingPaper:
    """The paper exchange, whose worker dies while it is asked."""

    def __init__(self, paper: PaperGateway) -> None:
        self._paper = paper

    def create_market_order(self, *_: Any, **__: Any) -> OrderReport:
        raise Killed

    create_limit_order = create_market_order


@pytest.fixture(params=EXCHANGES)
def cast(
    request: pytest.FixtureRequest,
    db: None,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Cast]:
    caplog.set_level(logging.CRITICAL + 1)
    settings.EXCHANGE_TESTNET_MODE = False
    exchange: str = request.param
    bob, bot = make_user("bob"), make_bot()
    account = make_exchange_account(bob, exchange=exchange, environment="LIVE")
    bitcoin, ether = (make_market(exchange=exchange, trading_pair=pair) for pair in ("BTC/USDT", "ETH/USDT"))
    subscriptions = [
        make_subscription(bob, bot=bot, account=place, market=market)
        for place, market in ((account, bitcoin), (account, bitcoin), (account, ether), (None, bitcoin))
    ]
    orders.read_positions(subscriptions)
    with time_machine.travel(NOON, tick=False) as clock:
        # who waits for an order to have left waits on this clock
        monkeypatch.setattr("subscriptions.lifecycle.time.sleep", lambda s: clock.shift(timedelta(seconds=s)))
        yield Cast(exchange, clock, subscriptions)


def run_machine(cast: Cast, runs: int, steps: int, phases: tuple[Phase, ...]) -> Counter[str]:
    """Run it and return how often what happened."""

    class Machine(OrderMachine):
        pass

    Machine.cast, Machine.tally = cast, Counter()
    options = hypothesis_settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=phases,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(seed(new_seed())(Machine), settings=options)
    print(dict(Machine.tally))
    return Machine.tally


def test_orders_keep_their_promises_whatever_happens(cast: Cast) -> None:
    tally = run_machine(cast, 7, 40, (Phase.generate, Phase.shrink))

    assert tally["placed"] > 15


@pytest.mark.release
def test_orders_keep_their_promises_two_thousand_times(cast: Cast) -> None:
    run_machine(cast, 2_000 // len(EXCHANGES) + 1, 50, (Phase.generate, Phase.shrink))


@pytest.mark.parametrize("cast", ["BINANCE"], indirect=True)
def test_without_the_look_for_unsettled_orders_the_machine_finds_the_breach(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control arm."""
    monkeypatch.setattr(orders, "_has_unsettled", lambda _: False)

    with pytest.raises(AssertionError, match="was sent while"):
        run_machine(cast, 100, 40, (Phase.generate,))
