"""Trade on candles as the platform trades on prices: what is held, the rules' memory, the order that waits.

A candle does not say in which order its prices came. The desk takes the worst way through it: from the open
to the low, then to the high, then to the close. So a stop is reached before a target, and a trailing stop
follows the high only before the price falls to the close.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NamedTuple

from bot_sdk.action import BUY, HOLD, SELL, Action
from bot_sdk.configs import MARKET, ExecutionConfig, RiskConfig
from bot_sdk.exit_prices import Calm, ExitPrices, calm_of, exit_prices
from bot_sdk.history import Bar
from bot_sdk.ledger import ZERO, Holding, apply_fill
from bot_sdk.market_rules import MarketRules
from bot_sdk.matching import Execution, fill_limit_order, fill_market_order, is_traded_through
from bot_sdk.money import exact
from bot_sdk.risk import BOT, Signal, decide, protective_exit
from bot_sdk.risk_state import RiskState
from bot_sdk.skip_reasons import SkipReason
from bot_sdk.trades import Fill

USUAL_SLIPPAGE_PERCENT = Decimal("0.05")  # where nobody says another
ORDER_STILL_OPEN = "The bot's {action} was passed over, because an earlier order is still open."


class FillAt(StrEnum):
    """When a market order that a bot asks for at a candle's close is filled."""

    NEXT_OPEN = "next_open"  # decided, sized and filled at the first price after the close
    CLOSE = "close"  # at the closing price itself


@dataclass(frozen=True, slots=True)
class Terms:
    """What a market and an account give: rules, sizes and limits, and how orders are assumed to fill.

    `capital` is in quote. `slippage_percent` is how much worse than the price that is seen a market order is
    filled, 0.05 for 0.05 %, on top of the fee that `rules` has.
    """

    capital: Decimal
    rules: MarketRules
    execution: ExecutionConfig
    risk: RiskConfig
    fill_at: FillAt = FillAt.NEXT_OPEN
    slippage_percent: Decimal = ZERO


class Decision(NamedTuple):
    """What became of a bot's wish. `closed_at` is the close of the candle that it was made on.

    `price` is what one base cost, in quote, when it was decided.
    """

    closed_at: datetime
    action: Action
    signal: Signal
    price: Decimal


@dataclass(frozen=True, slots=True)
class _OpenOrder:
    action: Action
    side: str
    amount: Decimal
    limit_price: Decimal
    ends_at: datetime
    signal: Signal


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a bot said at a close, to be decided at the next open."""

    action: Action
    closed_at: datetime


class Desk:
    """One subscription's trading over candles. `fills` and `decisions` grow; `holding` is the newest one."""

    def __init__(self, terms: Terms) -> None:
        self.holding = Holding.start(terms.capital)
        self.fills: list[Fill] = []
        self.decisions: list[Decision] = []
        self._terms = terms
        self._state = RiskState.start(terms.capital)
        self._order: _OpenOrder | None = None
        self._wish: _Wish | None = None
        self._calm: Calm | None = None
        self._calm_at: tuple[object, ...] = ()  # what the calm was computed from
        self._has_exits = terms.risk.has_exits
        self._remembers = self._has_exits or terms.risk.max_daily_loss_percent is not None
        self._counts = self._remembers or terms.risk.max_orders_per_day is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a candle can change anything: with nothing held, ordered or wished for, none can."""
        return (
            self._wish is not None
            or self._order is not None
            or (self._remembers and self.holding.base_amount > 0)
        )

    @property
    def calm(self) -> Calm | None:
        """Within what prices a candle changes nothing; None while a wish or an order waits."""
        if self._wish is not None or self._order is not None:
            return None
        state = self._state
        now = (self.holding, state.peak_price, state.peak_equity, state.day, state.is_halted)
        if self._calm is None or now != self._calm_at:
            self._calm_at = now
            self._calm = calm_of(
                holding=self.holding, rules=self._terms.rules, risk=self._terms.risk, state=state
            )
        return self._calm

    def pass_candle(self, bar: Bar, within: Iterable[Bar] = ()) -> None:
        """Follow prices from the candle's open to its close. `within` are its details, the candle if none."""
        self._expire(bar.open, bar.opened_at)  # in a hole before it
        if self._wish is not None:
            wish, self._wish = self._wish, None
            self._decide(wish.action, wish.closed_at, bar.open, bar.opened_at)
        for part in within or (bar,):
            self._expire(part.open, part.opened_at)
            self._walk(part)
            self._expire(part.close, part.closed_at)

    def answer(self, action: Action, closed_at: datetime, close: Decimal) -> None:
        """Act on what the bot said when a candle closed at this price."""
        if self._terms.fill_at == FillAt.CLOSE:
            self._decide(action, closed_at, close, closed_at)
        else:
            self._wish = _Wish(action, closed_at)

    def _walk(self, bar: Bar) -> None:
        if not self.is_waiting:
            return
        calm = self.calm
        if calm is not None and calm.holds(float(bar.low), float(bar.high), lambda: bar.closed_at):
            return
        self._look(bar.open, bar.opened_at)
        self._fall(bar.open, bar.low, bar)
        self._look(bar.low, bar.opened_at, bar.closed_at)
        self._rise(bar.high, bar)
        self._look(bar.high, bar.opened_at, bar.closed_at)
        self._fall(bar.high, bar.close, bar)
        self._look(bar.close, bar.closed_at)

    def _fall(self, start: Decimal, to: Decimal, bar: Bar) -> None:
        """Go down to a price; what is on the way comes in its order, the higher first.

        An exit above the start is not: at the start it was looked for, and the market took no such order.
        """
        while True:
            exit_at, order_at = self._exits().lower, self._order_price(BUY, to)
            if exit_at is not None and not to <= exit_at <= start:
                exit_at = None
            is_next = exit_at is not None and (order_at is None or exit_at > order_at)
            if not self._passes(exit_at if is_next else None, order_at, bar):
                return
            start = max(start, order_at or start)  # a limit order is filled at its own price, come what may

    def _rise(self, to: Decimal, bar: Bar) -> None:
        """Go up to a price, as `_fall` goes down."""
        while True:
            exit_at, order_at = self._exits().upper, self._order_price(SELL, to)
            is_next = exit_at is not None and exit_at <= to and (order_at is None or exit_at < order_at)
            if not self._passes(exit_at if is_next else None, order_at, bar):
                return

    def _passes(self, exit_at: Decimal | None, order_at: Decimal | None, bar: Bar) -> bool:
        """Sell at the exit that comes next, or fill the order; return whether anything happened."""
        if exit_at is not None and self._look(exit_at, bar.opened_at, bar.closed_at):
            return True
        if order_at is None:
            return False
        self._fill_order(bar.closed_at)
        return True

    def _exits(self) -> ExitPrices:
        return exit_prices(
            holding=self.holding, rules=self._terms.rules, risk=self._terms.risk, state=self._state
        )

    def _order_price(self, side: str, to: Decimal) -> Decimal | None:
        """Return the open order's price when it is of this side and is filled on the way to a price."""
        order = self._order
        if order is None or order.side != side or not is_traded_through(side, order.limit_price, to, to):
            return None
        return order.limit_price

    def _look(self, price: Decimal, at: datetime, filled_at: datetime | None = None) -> bool:
        """See a price and do what the protective rules ask for; return whether they sold.

        What happens inside a candle is seen on the candle's day and filled, at the latest, when it closes.
        """
        if self._remembers:
            self._state = self._state.seen(at=at, bid=price, holding=self.holding, risk=self._terms.risk)
        if not self._has_exits:
            return False
        signal = protective_exit(
            holding=self.holding,
            bid=price,
            rules=self._terms.rules,
            risk=self._terms.risk,
            state=self._state,
        )
        if signal is None:
            return False
        self._place(None, signal, price, filled_at or at)
        return True

    def _expire(self, price: Decimal, at: datetime) -> None:
        """End the open order when a candle opens or closes after its time."""
        order = self._order
        if order is None or at < order.ends_at:
            return
        self._order = None
        if self._terms.execution.limit_timeout_action == MARKET:
            signal = self._signal(order.action, price, at, self._terms.execution.at_once())
            self._place(order.action, signal, price, at)

    def _decide(self, action: Action, closed_at: datetime, price: Decimal, at: datetime) -> None:
        signal = self._signal(action, price, at, self._terms.execution)
        if self._order and signal.source == BOT and action.action != HOLD:
            reason = ORDER_STILL_OPEN.format(action=action.action)
            signal = Signal(HOLD, ZERO, reason, BOT, SkipReason.ORDER_OPEN)
        self.decisions.append(Decision(closed_at, action, signal, price))
        self._place(action, signal, price, at)

    def _signal(self, action: Action, price: Decimal, at: datetime, execution: ExecutionConfig) -> Signal:
        if self._counts:  # else no limit asks what was seen
            self._state = self._state.seen(at=at, bid=price, holding=self.holding, risk=self._terms.risk)
        return decide(
            action=action,
            holding=self.holding,
            bid=price,
            ask=self._slipped(BUY, price),
            rules=self._terms.rules,
            execution=execution,
            risk=self._terms.risk,
            allocated_capital=self._terms.capital,
            state=self._state,
            at=at,
        )

    def _place(self, action: Action | None, signal: Signal, price: Decimal, at: datetime) -> None:
        """Send the signal's order in place of any that is open, which only a protective exit comes to."""
        if signal.action == HOLD:
            return
        self._order = None
        self._state = self._state.ordered()
        if signal.limit_price is not None and action is not None:
            seconds = self._terms.execution.limit_timeout_seconds or 0
            ends_at = at + timedelta(seconds=seconds)
            self._order = _OpenOrder(
                action, signal.action, signal.amount, signal.limit_price, ends_at, signal
            )
            return
        worse = self._slipped(signal.action, price)
        fill = fill_market_order(signal.action, signal.amount, worse, worse, self._terms.rules)
        self._book(fill, signal, price, at)

    def _fill_order(self, at: datetime) -> None:
        order, self._order = self._order, None
        if order is not None:
            fill = fill_limit_order(order.side, order.amount, order.limit_price, self._terms.rules)
            self._book(fill, order.signal, order.limit_price, at)

    def _book(self, fill: Execution, signal: Signal, decided_price: Decimal, at: datetime) -> None:
        before = self.holding
        self.holding = apply_fill(before, fill.side, fill.amount, fill.price, fill.fee)
        self._state = self._state.filled(
            at=at, before=before, after=self.holding, price=fill.price, rules=self._terms.rules
        )
        self.fills.append(
            Fill(
                side=fill.side,
                amount=fill.amount,
                price=fill.price,
                fee=fill.fee,
                at=at,
                reason=signal.reason,
                source=signal.source,
                decided_price=decided_price,
            )
        )

    def _slipped(self, side: str, price: Decimal) -> Decimal:
        """Return what a market order is filled at: so much worse than `price`, to the next price tick."""
        percent, tick = self._terms.slippage_percent, self._terms.rules.price_tick
        if not percent:
            return price
        with exact():
            if side == BUY:
                worse = price * (100 + percent) / 100
                return (worse / tick).to_integral_value(rounding=ROUND_CEILING) * tick
            ticks = (price * (100 - percent) / 100 / tick).to_integral_value(rounding=ROUND_FLOOR)
            return min(max(ticks, Decimal(1)) * tick, price)  # which may be less than today's tick
