"""What may not be ordered although a bot and its own limits allow it: switches, and the trader's envelope."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from bot_sdk.action import BUY
from bot_sdk.ledger import ZERO
from bot_sdk.money import cost_of, exact
from bot_sdk.skip_reasons import SkipReason
from execution.models import Order, Position
from execution.valuation import Price, looked_at_today, newest_prices
from subscriptions.models import Envelope, Subscription, TradingState
from subscriptions.switches import standing_of


@dataclass(frozen=True, slots=True)
class Together:
    """All of a trader's subscriptions in one quote currency, on paper or at exchanges: both figures in quote.

    `exposure` is what their positions are worth and their unfinished buys cost; `loss_today` what their
    equity has fallen since each one's first look of the UTC day, below zero for a gain.
    """

    exposure: Decimal
    loss_today: Decimal

    @property
    def result_today(self) -> Decimal:
        return -self.loss_today


def objection(
    subscription: Subscription, side: str, cost: Decimal, *, is_locked: bool = False
) -> SkipReason | None:
    """Return why the subscription may not place an order of `cost` (in quote) now, or None.

    `is_locked` keeps the trader's envelope locked until the transaction ends, so that two orders at once
    cannot both take what is left of it.
    """
    standing = standing_of(subscription.trader_id)
    if standing.state == TradingState.HALTED:
        return SkipReason.TRADING_HALTED
    if side != BUY:
        return None
    if standing.state == TradingState.REDUCING:
        return SkipReason.REDUCING_ONLY
    if subscription.trader is None:
        return None
    envelopes = Envelope.objects.filter(trader=subscription.trader, quote=subscription.market.quote)
    envelope = (envelopes.select_for_update(of=["self"]) if is_locked else envelopes).first()
    if envelope is None:
        return None
    together = together_of(
        subscription.trader, subscription.market.quote, is_on_paper=subscription.is_on_paper
    )
    with exact():
        if envelope.max_exposure is not None and together.exposure + cost > envelope.max_exposure:
            return SkipReason.EXPOSURE_LIMIT
    if envelope.max_daily_loss is not None and together.loss_today >= envelope.max_daily_loss:
        return SkipReason.TRADER_DAILY_LOSS
    return None


def together_of(trader: User, quote: str, *, is_on_paper: bool) -> Together:
    """Add up what a trader's bots hold and have lost today. Four queries, however many there are."""
    all_of_them = Subscription.objects.of(trader).filter(market__quote=quote)
    papers = all_of_them.on_paper()
    chosen = papers if is_on_paper else all_of_them.exclude(pk__in=papers.values("pk"))
    # one that was stopped may hold something still, and what it lost today stays lost
    may_count = Q(position__base_amount__gt=0) | looked_at_today()
    is_current = ~Q(state=Subscription.State.STOPPED) | may_count
    subscriptions = list(chosen.filter(is_current).with_names().select_related("position"))
    prices = newest_prices(subscriptions)
    exposure = loss = ZERO
    with exact():
        for subscription in subscriptions:
            position: Position | None = getattr(subscription, "position", None)
            if position is not None:
                exposure += _worth(position, prices.get(subscription.pk))
                loss += _loss_today(position, prices.get(subscription.pk))
        for order in Order.objects.unfinished().filter(subscription__in=subscriptions, side=Order.Side.BUY):
            exposure += _cost(order, prices.get(order.subscription_id))
    return Together(exposure, loss)


def quotes_of(trader: User) -> list[str]:
    """Return the quote currencies that a trader's bots use, or that have a limit."""
    used = Subscription.objects.of(trader).order_by().values_list("market__quote", flat=True)
    limited = Envelope.objects.filter(trader=trader).order_by().values_list("quote", flat=True)
    return sorted(set(used.distinct()) | set(limited))


def _worth(position: Position, price: Price | None) -> Decimal:
    """At the newest price; without one, at what it cost."""
    return cost_of(position.base_amount, price.value) if price else position.cost_basis


def _loss_today(position: Position, price: Price | None) -> Decimal:
    past = position.past
    if past.day != timezone.now().date():
        return ZERO
    return past.day_start_equity - (position.quote_balance + _worth(position, price))


def _cost(order: Order, price: Price | None) -> Decimal:
    at = order.limit_price or (price.value if price else None)
    filled = sum((fill.amount for fill in order.fills.all()), ZERO)
    return ZERO if at is None else cost_of(order.amount - filled, at)
