"""What subscriptions are worth now: their holdings at the newest closed candle's price."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from django.db.models import OuterRef, Q, Subquery, TextChoices
from django.utils import timezone

from bot_sdk.ledger import Holding
from bot_sdk.money import exact
from bot_sdk.risk_state import RiskState
from bot_sdk.timeframes import duration
from exchanges.models import Candle
from execution.models import Position
from subscriptions.models import Subscription


@dataclass(frozen=True)
class Price:
    """The close of a market's newest stored candle, in quote per base, and when that candle closed."""

    value: Decimal
    at: datetime


@dataclass(frozen=True)
class Valuation:
    """One subscription's account at `price`; all money is in the market's quote currency.

    Without a price nothing that depends on it is known: those figures are None, except where nothing is held.
    `capital` is what is allocated now, and `past` what the risk rules remember.
    """

    capital: Decimal
    holding: Holding
    price: Price | None
    past: RiskState

    @cached_property
    def equity(self) -> Decimal | None:
        if self.price:
            return self.holding.equity(self.price.value)
        return self.holding.quote_balance if self.holding.base_amount == 0 else None

    @property
    def result(self) -> Decimal | None:
        """Profit or loss since the start, fees included; what was put in or taken out is none."""
        with exact():
            return None if self.equity is None else self.equity - self.capital

    @property
    def basis(self) -> Decimal:
        """What the return is a part of: the capital, carried over what was put in or taken out since."""
        return self.capital if self.past.base is None else self.past.base

    @property
    def gain(self) -> Decimal | None:
        """What there is above the basis; the result, while nothing was put in or taken out."""
        with exact():
            return None if self.equity is None else self.equity - self.past.flows - self.basis

    @property
    def result_percent(self) -> Decimal | None:
        """The return since the start, time-weighted."""
        return None if self.gain is None else percent_of(self.gain, self.basis)

    @property
    def result_today(self) -> Decimal | None:
        """Profit or loss since the UTC day's first look; None while nobody looked and something is held."""
        if self.past.day != timezone.now().date():
            return Decimal(0) if self.holding.base_amount == 0 else None
        with exact():
            return None if self.equity is None else self.equity - self.past.day_start_equity

    @property
    def position_value(self) -> Decimal | None:
        with exact():
            return None if self.equity is None else self.equity - self.holding.quote_balance

    @property
    def unrealized_pnl(self) -> Decimal | None:
        if self.price:
            return self.holding.unrealized_pnl(self.price.value)
        return Decimal(0) if self.holding.base_amount == 0 else None


class Money(TextChoices):
    """What kind of money it is. Two kinds are never added up, as two currencies are not."""

    LIVE = "LIVE", "Real money"
    TESTNET = "TESTNET", "Testnet, play money"
    PAPER = "PAPER", "On paper"


@dataclass(frozen=True)
class Total:
    """The sum over subscriptions of one kind of money that share a quote currency, in it.

    Those whose price is missing are left out; `is_complete` says that there are none of those.
    `gain` and `basis` are as in `Valuation`. `result_today` is without those that hold something and were not
    looked at today; `is_day_complete` says that there are none.
    """

    money: Money
    quote: str
    capital: Decimal
    equity: Decimal
    gain: Decimal
    basis: Decimal
    exposure: Decimal
    result_today: Decimal
    is_complete: bool
    is_day_complete: bool

    @property
    def result(self) -> Decimal:
        with exact():
            return self.equity - self.capital

    @property
    def result_percent(self) -> Decimal:
        """Of all that is there now, each weighing as much as it has: the return since the start."""
        return percent_of(self.gain, self.basis)

    @property
    def exposure_percent(self) -> Decimal | None:
        """The share of equity that is in positions; None when there is no equity."""
        return percent_of(self.exposure, self.equity) if self.equity > 0 else None

    @property
    def result_today_percent(self) -> Decimal | None:
        """Of what there was when the day began."""
        with exact():
            before = self.equity - self.result_today
        return percent_of(self.result_today, before) if before > 0 else None


def percent_of(part: Decimal, whole: Decimal) -> Decimal:
    """Return `part` as a percentage of `whole`, to 2 places."""
    with exact():
        return (part / whole * 100).quantize(Decimal("0.01"))


def newest_prices(subscriptions: Iterable[Subscription]) -> dict[int, Price]:
    """Return each subscription's price by its primary key, in one query; without a candle there is none."""
    same_market = Candle.objects.filter(market=OuterRef("market"), timeframe=OuterRef("timeframe"))
    newest = same_market.order_by("-opened_at")
    rows = (
        Subscription.objects.filter(pk__in=[subscription.pk for subscription in subscriptions])
        .order_by()
        .annotate(
            close=Subquery(newest.values("close")[:1]),
            opened_at=Subquery(newest.values("opened_at")[:1]),
        )
        .filter(close__isnull=False)
        .values_list("pk", "timeframe", "close", "opened_at")
    )
    return {pk: Price(close, opened_at + duration(timeframe)) for pk, timeframe, close, opened_at in rows}


def looked_at_today() -> Q:
    """Subscriptions of which it is known what they made since the UTC day began."""
    return Q(position__risk_state__day=timezone.now().date().isoformat())


def value(subscription: Subscription, price: Price | None) -> Valuation:
    """Value one subscription; select its `position` beforehand to save a query."""
    position: Position | None = getattr(subscription, "position", None)
    capital = subscription.allocated_capital
    if position is None:
        return Valuation(capital, Holding.start(capital), price, RiskState.start(capital))
    return Valuation(capital, position.holding, price, position.past)


def money_of(subscription: Subscription) -> Money:
    """Return what kind of money it trades with. Select its `account` beforehand."""
    return Money.PAPER if subscription.account is None else Money(subscription.account.environment)


def totals(subscriptions: Iterable[tuple[Subscription, Valuation]]) -> list[Total]:
    """Sum valuations per kind of money and quote currency, real money first.

    One without any known equity is left out.
    """
    groups: dict[tuple[Money, str], list[Valuation]] = {}
    for subscription, valuation in subscriptions:
        groups.setdefault((money_of(subscription), subscription.market.quote), []).append(valuation)
    order = list(Money)
    keys = sorted(groups, key=lambda key: (order.index(key[0]), key[1]))
    return [total for key in keys if (total := _total(*key, groups[key]))]


def _total(money: Money, quote: str, valuations: list[Valuation]) -> Total | None:
    known = [each for each in valuations if each.equity is not None]
    if not known:
        return None
    today = [each.result_today for each in known if each.result_today is not None]
    return Total(
        money=money,
        quote=quote,
        capital=_sum(each.capital for each in known),
        equity=_sum(each.equity for each in known),
        gain=_sum(each.gain for each in known),
        basis=_sum(each.basis for each in known),
        exposure=_sum(each.position_value for each in known),
        result_today=_sum(today),
        is_complete=len(known) == len(valuations),
        is_day_complete=len(today) == len(known),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    with exact():
        return sum((amount for amount in amounts if amount is not None), Decimal(0))
