"""What subscriptions are worth now: their holdings at the newest closed candle's price."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import OuterRef, Subquery

from bot_sdk.ledger import Holding
from bot_sdk.money import exact
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
    """

    capital: Decimal
    holding: Holding
    price: Price | None

    @property
    def equity(self) -> Decimal | None:
        if self.price:
            return self.holding.equity(self.price.value)
        return self.holding.quote_balance if self.holding.base_amount == 0 else None

    @property
    def result(self) -> Decimal | None:
        """Profit or loss since the start, fees included."""
        with exact():
            return None if self.equity is None else self.equity - self.capital

    @property
    def result_percent(self) -> Decimal | None:
        return None if self.result is None else percent_of(self.result, self.capital)

    @property
    def position_value(self) -> Decimal | None:
        with exact():
            return None if self.equity is None else self.equity - self.holding.quote_balance

    @property
    def unrealized_pnl(self) -> Decimal | None:
        if self.price:
            return self.holding.unrealized_pnl(self.price.value)
        return Decimal(0) if self.holding.base_amount == 0 else None


@dataclass(frozen=True)
class Total:
    """The sum over subscriptions that share a quote currency, without those whose price is missing.

    `is_complete` says that there are none of those.
    """

    quote: str
    capital: Decimal
    equity: Decimal
    is_complete: bool

    @property
    def result(self) -> Decimal:
        with exact():
            return self.equity - self.capital

    @property
    def result_percent(self) -> Decimal:
        return percent_of(self.result, self.capital)


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


def value(subscription: Subscription, price: Price | None) -> Valuation:
    """Value one subscription; select its `position` beforehand to save a query."""
    position: Position | None = getattr(subscription, "position", None)
    holding = position.holding if position else Holding.start(subscription.allocated_capital)
    return Valuation(subscription.allocated_capital, holding, price)


def totals(subscriptions: Iterable[tuple[Subscription, Valuation]]) -> list[Total]:
    """Sum valuations per quote currency, sorted by it; one without any known equity is left out."""
    by_quote: dict[str, list[Valuation]] = {}
    for subscription, valuation in subscriptions:
        by_quote.setdefault(subscription.market.quote, []).append(valuation)
    return [total for quote in sorted(by_quote) if (total := _total(quote, by_quote[quote]))]


def _total(quote: str, valuations: list[Valuation]) -> Total | None:
    known = [(each.capital, each.equity) for each in valuations if each.equity is not None]
    if not known:
        return None
    with exact():
        return Total(
            quote=quote,
            capital=sum((capital for capital, _ in known), Decimal(0)),
            equity=sum((equity for _, equity in known), Decimal(0)),
            is_complete=len(known) == len(valuations),
        )
