"""A trader puts capital into a subscription, or takes some out of it, while it trades.

What is allocated and the ledger's free balance move by the same amount, and the risk rules learn that it was
neither gain nor loss (`bot_sdk.risk_state`). All of it is one transaction, under the locks that orders and
fills take: whatever is killed when, the money has moved once or not at all.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from bot_sdk.ledger import ZERO, put_in
from bot_sdk.money import cost_of, exact, fee_on
from bot_sdk.parameters import ConfigError
from exchanges.models import ExchangeAccount
from exchanges.templatetags.amounts import money, plain
from execution.models import Order, Position
from execution.orders import position_of
from execution.valuation import newest_prices, value
from subscriptions import changing, lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import CapitalChange, Subscription
from subscriptions.setting_words import Difference

LABEL = "Allocated capital"
ON_ITS_WAY = (
    "What became of an order that buys is not known yet. Until it is, nothing can be taken out. "
    "Try again in a minute."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A change of what is allocated, in quote: `free` is the free balance afterwards."""

    before: Decimal
    after: Decimal
    free: Decimal

    @property
    def amount(self) -> Decimal:
        """What is put in, or below zero taken out."""
        with exact():
            return self.after - self.before


@dataclass(frozen=True, slots=True)
class Room:
    """What can be taken out of a subscription now, in quote.

    Of the `free` balance `bound` waits in open orders, and so much that `least` is still allocated stays.
    """

    free: Decimal
    bound: Decimal
    least: Decimal


@transaction.atomic
def planned(*, subscription: Subscription, capital: Decimal) -> Plan:
    """Return what `change_capital` would do now. Raises what that raises."""
    if subscription.trader is None:
        raise SubscriptionError("The marketplace's own runs keep the capital that they began with.")
    changing.refuse_unchangeable(subscription)
    before, market = subscription.allocated_capital, subscription.market
    problems: dict[str, str] = {}
    room = room_of(subscription)
    if problem := lifecycle.problem_of_capital(market, capital):
        problems["allocated_capital"] = problem
    elif capital < min(room.least, before):
        problems["allocated_capital"] = _too_little_left(room, before, market.quote)
    elif capital > before and subscription.account is not None:
        problems |= lifecycle.account_problems(
            subscription.trader,
            subscription.account,
            market.exchange,
            market,
            capital,
            already=before,
        )
    if problems:
        raise ConfigError(problems)
    if capital < before and _is_on_its_way(subscription):
        raise SubscriptionError(ON_ITS_WAY)
    with exact():
        return Plan(before, capital, room.free + capital - before)


def room_of(subscription: Subscription) -> Room:
    """Return what can be taken out: free money that no order waits with, while enough to trade with stays.

    A position without a known price counts as nothing. Select `market` and `position` beforehand.
    """
    valuation = value(subscription, newest_prices([subscription]).get(subscription.pk))
    free, smallest = valuation.holding.quote_balance, lifecycle.smallest_capital(subscription.market)
    bound = _bound_in_orders(subscription)
    with exact():
        worth = free if valuation.equity is None else valuation.equity
        most = max(min(free - bound, worth - smallest), ZERO)
        return Room(free, bound, max(subscription.allocated_capital - most, smallest))


def change_capital(*, subscription: Subscription, capital: Decimal, revision: int) -> Subscription:
    """Have the subscription trade with this capital, in quote, from its next decision on.

    `revision` is that of the subscription as its trader saw it. What it has changes nothing. When it returns,
    nothing is ordered any more that was sized by the capital before. Raises ConfigError for an amount that is
    too small or too large, with the numbers, and SubscriptionError.
    """
    with transaction.atomic():
        row = changing.locked(subscription, revision)
        if row.account_id is not None:  # before the position, as for an order
            ExchangeAccount.objects.select_for_update(no_key=True).get(pk=row.account_id)
        row.position = Position.objects.select_for_update().get(pk=position_of(row).pk)
        plan = planned(subscription=row, capital=capital)
        if plan.amount:
            _move(row, plan)
    lifecycle.wait_until_quiet(Subscription.objects.filter(pk=row.pk))
    return row


def _move(row: Subscription, plan: Plan) -> None:
    position, quote = row.position, row.market.quote
    position.quote_balance = put_in(position.holding, plan.amount).quote_balance
    position.risk_state = position.past.flowed(plan.amount, capital=plan.before).to_dict()
    position.save(update_fields=["quote_balance", "risk_state", "updated_at"])
    changing.keep_change(row, [Difference(LABEL, money(plan.before, quote), money(plan.after, quote))])
    row.allocated_capital = plan.after
    row.save(update_fields=["allocated_capital"])
    CapitalChange.objects.create(
        subscription=row, revision=row.revision, amount=plan.amount, capital=plan.after
    )


def _too_little_left(room: Room, before: Decimal, quote: str) -> str:
    with exact():
        most = before - room.least
    waiting = f", {_said(room.bound, quote)} of them wait in open orders" if room.bound else ""
    return (
        f"At most {_said(most, quote)} can be taken out now: {_said(room.free, quote)} are free{waiting}, "
        f"and enough to trade with has to stay. Enter {_said(room.least, quote)} or more."
    )


def _said(amount: Decimal, quote: str) -> str:
    return f"{plain(amount)} {quote}"


def _is_on_its_way(subscription: Subscription) -> bool:
    """Whether a buy may still spend nobody knows how much, as an open one at the market may, too."""
    buys = Order.objects.filter(subscription=subscription, side=Order.Side.BUY)
    at_market = Q(state=Order.State.OPEN, limit_price=None)
    return buys.filter(at_market | Q(state__in=[Order.State.SENDING, Order.State.UNKNOWN])).exists()


def _bound_in_orders(subscription: Subscription) -> Decimal:
    """Return what open orders may still spend, with the fee, in quote."""
    fee_fraction = subscription.market.taker_fee_fraction
    waiting = Order.objects.filter(
        subscription=subscription, side=Order.Side.BUY, state=Order.State.OPEN, limit_price__isnull=False
    )
    bound = ZERO
    with exact():
        for order in waiting.prefetch_related("fills"):
            assert order.limit_price is not None
            rest = order.amount - sum((fill.amount for fill in order.fills.all()), ZERO)
            cost = cost_of(rest, order.limit_price)
            bound += cost + fee_on(cost, fee_fraction)
    return bound
