"""What the risk rules remember of a subscription's past, since one look at the market does not tell it.

A state never changes; each event gives the next one:

    look at the market  -> seen      before every decision, and between candles by whoever watches prices
    an order leaves     -> ordered   once, however many fills it gets
    fills are booked    -> filled    with what was held before and after them
    the halt is lifted  -> lifted    by the trader
    capital is changed  -> flowed    by the trader, who puts some in or takes some out

Money that flows is neither gain nor loss. The next look at the market compares with the past as if it had not
flowed, and then carries the past over: the highest equity grows or shrinks as the equity does, so that the
drawdown, a fraction, stays what it is. Until then `flows` has the amount; no price is needed when it moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from bot_sdk.configs import RiskConfig
from bot_sdk.ledger import ZERO, Holding
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import QUOTE_STEP, exact, reaches
from bot_sdk.timeframes import floor


@dataclass(frozen=True, slots=True)
class RiskState:
    """The past of one subscription: prices in quote per base, equity in quote at the bid, days in UTC.

    `peak_price` is the highest bid since the position was opened, beginning with the price that opened it,
    None when flat; `peak_equity` the highest equity so far. `day` is that of the newest look, None before the
    first; `day_start_equity` the equity at its first look and `orders_today` the orders since.
    `last_loss_at` is when a sale last lost money, None when none did. Once the drawdown limit was reached,
    `is_halted` stays until somebody lifts it.

    `flows` is what was put in since the newest look, below zero for taken out; `day_start_equity` has it
    already. On a day on which that happened the day's limit is a percentage of `day_capital`, what was
    allocated when it began; None is what is allocated now. `base` is what equity is divided by for the growth
    since the start, None while nothing was ever put in or taken out, when that is the capital.
    """

    peak_price: Decimal | None
    peak_equity: Decimal
    day: date | None
    day_start_equity: Decimal
    orders_today: int
    last_loss_at: datetime | None
    is_halted: bool
    flows: Decimal = ZERO
    day_capital: Decimal | None = None
    base: Decimal | None = None

    @classmethod
    def start(cls, capital: Decimal) -> "RiskState":
        """Return the state before the first look. `capital` is what there is to trade with, in quote."""
        return cls(
            peak_price=None,
            peak_equity=capital,
            day=None,
            day_start_equity=capital,
            orders_today=0,
            last_loss_at=None,
            is_halted=False,
        )

    def seen(self, *, at: datetime, bid: Decimal, holding: Holding, risk: RiskConfig) -> "RiskState":
        """Return the state after a look at the market at the aware moment `at`.

        A new day begins at its first look; a look that is late, from a day before, does not bring that day
        back. Looking twice at the same changes nothing. Raises ValueError for a moment without time zone.
        """
        equity = holding.equity(bid)
        without_flows = self._without_flows(equity)
        day = floor("1d", at).date()
        is_new_day = self.day is None or day > self.day
        peak_equity = max(self.peak_equity, without_flows)
        return RiskState(
            peak_price=None if holding.base_amount == 0 else max(self.peak_price or bid, bid),
            peak_equity=_carried(peak_equity, without_flows, equity),
            day=day if is_new_day else self.day,
            day_start_equity=equity if is_new_day else self.day_start_equity,
            orders_today=0 if is_new_day else self.orders_today,
            last_loss_at=self.last_loss_at,
            is_halted=self.is_halted or _has_fallen(without_flows, risk.max_drawdown_percent, peak_equity),
            day_capital=None if is_new_day else self.day_capital,
            base=None if self.base is None else _carried(self.base, without_flows, equity),
        )

    def ordered(self) -> "RiskState":
        """Return the state after one more order, counted to the day of the look that it was decided on."""
        return replace(self, orders_today=self.orders_today + 1)

    def filled(
        self, *, at: datetime, before: Holding, after: Holding, price: Decimal, rules: MarketRules
    ) -> "RiskState":
        """Return the state after fills at `price` that turned the holding `before` into `after`.

        A position is opened when `before` is nothing or dust, too little to sell as an order under `rules`:
        else the highest bid of a position long gone would stop the new one.
        """
        is_opened = not rules.orderable(before.base_amount, price)
        is_closed = after.base_amount == 0
        is_loss = after.realized_pnl < before.realized_pnl
        return replace(
            self,
            peak_price=None if is_closed else price if is_opened else self.peak_price,
            last_loss_at=at if is_loss else self.last_loss_at,
        )

    def lifted(self, equity: Decimal) -> "RiskState":
        """Return the state in which trading goes on, its drawdown measured from `equity`, in quote."""
        return replace(self, is_halted=False, peak_equity=self._without_flows(equity))

    def flowed(self, amount: Decimal, *, capital: Decimal) -> "RiskState":
        """Return the state after `amount` was put in, or taken out where it is below zero, in quote.

        `capital` is what was allocated before. The day's result is without it, and the day's limit stays what
        it is in money until the next day begins.
        """
        with exact():
            return replace(
                self,
                flows=self.flows + amount,
                day_start_equity=self.day_start_equity + amount,
                day_capital=capital if self.day_capital is None else self.day_capital,
                base=capital if self.base is None else self.base,
            )

    def growth(self, equity: Decimal) -> Decimal | None:
        """Return what one of quote has become since the start, time-weighted: 1.05 for 5 % more.

        It is to 18 places. None while nothing was ever put in or taken out: then it is `equity` by the
        capital.
        """
        if self.base is None:
            return None
        with exact():
            return (self._without_flows(equity) / self.base).quantize(QUOTE_STEP)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON types, exact numbers as text."""
        return {
            "peak_price": None if self.peak_price is None else str(self.peak_price),
            "peak_equity": str(self.peak_equity),
            "day": None if self.day is None else self.day.isoformat(),
            "day_start_equity": str(self.day_start_equity),
            "orders_today": self.orders_today,
            "last_loss_at": None if self.last_loss_at is None else self.last_loss_at.isoformat(),
            "is_halted": self.is_halted,
            "flows": str(self.flows),
            "day_capital": None if self.day_capital is None else str(self.day_capital),
            "base": None if self.base is None else str(self.base),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "RiskState":
        """Return what `to_dict` was made of. Raises KeyError when something is missing.

        What was stored before capital could be changed has nothing of its flows.
        """
        peak_price, day, last_loss_at = raw["peak_price"], raw["day"], raw["last_loss_at"]
        day_capital, base = raw.get("day_capital"), raw.get("base")
        return cls(
            peak_price=None if peak_price is None else Decimal(peak_price),
            peak_equity=Decimal(raw["peak_equity"]),
            day=None if day is None else date.fromisoformat(day),
            day_start_equity=Decimal(raw["day_start_equity"]),
            orders_today=raw["orders_today"],
            last_loss_at=None if last_loss_at is None else datetime.fromisoformat(last_loss_at),
            is_halted=raw["is_halted"],
            flows=Decimal(raw.get("flows", 0)),
            day_capital=None if day_capital is None else Decimal(day_capital),
            base=None if base is None else Decimal(base),
        )

    def _without_flows(self, equity: Decimal) -> Decimal:
        """Return what the equity would be without what has flowed since the newest look."""
        if not self.flows:
            return equity
        with exact():
            return equity - self.flows


def _carried(amount: Decimal, before: Decimal, after: Decimal) -> Decimal:
    """Return `amount` grown or shrunk as equity was by what flowed, rounded down: a flow makes no drawdown.

    What was put in where nothing was left brings nothing back.
    """
    if before == after or after <= 0:
        return amount
    with exact():
        grown = amount * after / max(before, QUOTE_STEP)
        return grown.quantize(QUOTE_STEP, rounding=ROUND_FLOOR)


def _has_fallen(equity: Decimal, percent: Decimal | None, peak: Decimal) -> bool:
    if percent is None:
        return False
    with exact():
        return reaches(peak - equity, percent, peak)
