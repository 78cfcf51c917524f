"""After a restore from a backup: what bots ordered since then is looked for at the exchanges, and adopted.

An order's id derives from its subscription, its moment and its leg. So whatever an exchange lists under an
id that one of our subscriptions can have given is ours, although its row is lost. All trading is halted first
and stays so until staff lift it; nothing is sent, and nothing is canceled.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from bot_sdk.risk import STOP_LOSS
from bot_sdk.timeframes import duration, floor
from exchanges.errors import ExchangeError, UnknownMarket
from exchanges.gateway import ARRIVES_WITHIN, ExchangeGateway, PlacedOrder
from exchanges.gateways import exchange_gateway
from exchanges.models import ExchangeAccount, Market
from exchanges.vault import VaultError
from execution.errors import RestoreError
from execution.guards import FRESH_FOR, SECOND
from execution.models import GUARD, Order, Position
from execution.orders import CLOSE, SIGNAL, book, client_order_id, payload, position_of
from execution.reconciling import Reconciled, at_stake, reconcile
from execution.settling import CLOCKS_APART, left_behind, look_after
from execution.watching import PRICE_IS_GOOD_FOR, STOP, TIMEOUT
from subscriptions.models import Subscription, TradingState
from subscriptions.switches import platform_switch, set_platform_state

LONGEST = timedelta(days=31)  # since the backup; so many days of orders are gone through per market
HALTED = "A backup was restored. Nothing is ordered until our staff have compared it with the exchanges."
ADOPTED = "Found at the exchange after a backup was restored; why it was placed is lost."
OURS = 5  # the version of the UUIDs that we give
MINUTE = timedelta(minutes=1)
ADOPTABLE = [Order.State.NEW, Order.State.UNKNOWN, Order.State.NOT_SENT]


@dataclass(slots=True)
class Restored:
    """What came of one account: `problem` says why it could not be asked or compared, or is "".

    `strange` are open orders under ids like ours that no subscription of this database can have given.
    """

    account: ExchangeAccount
    adopted: list[Order] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    reconciled: Reconciled | None = None
    problem: str = ""

    @property
    def fits(self) -> bool:
        """Whether the books say what the exchange says, as far as our subscriptions count on it."""
        done = self.reconciled
        return done is not None and done.is_judged and done.is_clean and not self.strange


def restore(*, since: datetime) -> Iterator[Restored]:
    """Halt all trading, then yield what came of each account whose subscriptions may hold or trade something.

    `since` is the moment of the backup, or an earlier one. May be stopped anywhere and run again: each order
    is adopted once. For commands: it loads ccxt. Raises RestoreError for a moment that is in the future or
    further back than LONGEST; then nothing has changed.
    """
    now = timezone.now()
    if not now - LONGEST <= since <= now:
        raise RestoreError(
            f"Expected a moment of the last {LONGEST.days} days, not after now; got "
            f"{since:%Y-%m-%d %H:%M %Z}. What is older has to be compared by hand."
        )
    switch = platform_switch()
    if switch is None or switch.state != TradingState.HALTED:
        set_platform_state(state=TradingState.HALTED, reason=HALTED, by=None)
    accounts = ExchangeAccount.objects.with_keys().filter(pk__in=at_stake().values("account"))
    return (_restore(account, since) for account in accounts.select_related("owner").order_by("pk"))


def _restore(account: ExchangeAccount, since: datetime) -> Restored:
    done = Restored(account)
    try:
        for market in Market.objects.filter(subscriptions__in=at_stake(account)).distinct():
            _adopt_all(market, since, done)
        done.reconciled = reconcile(account)
    except (ExchangeError, VaultError) as error:
        done.problem = str(error)
    return done


def _adopt_all(market: Market, since: datetime, done: Restored) -> None:
    """Adopt in the order in which they were placed, since each counts on those before it.

    First of all the orders that the backup knows: what they filled since may have been sold.
    """
    with exchange_gateway(done.account, market) as gateway:
        look_after(list(left_behind(done.account.pk, market.pk)), gateway)
        try:
            placed = gateway.fetch_placed(since - CLOCKS_APART)
        except UnknownMarket:  # no longer listed: the comparison says so
            return
        for each in placed:
            number = _number_like_ours(each.client_order_id)
            if number is not None:
                _adopt(market, number, each, gateway, done)


def _adopt(
    market: Market, number: uuid.UUID, placed: PlacedOrder, gateway: ExchangeGateway, done: Restored
) -> None:
    order = Order.objects.filter(client_order_id=number).first() or _recorded(market, number, placed, done)
    if order is None and placed.is_open:
        at = f"{placed.placed_at:%Y-%m-%d %H:%M} UTC"
        done.strange.append(f"{placed.exchange_order_id} on {market.trading_pair}, placed {at}")
    elif order is not None and order.state in ADOPTABLE:
        Order.objects.filter(pk=order.pk, sent_at=None).update(
            sent_at=placed.placed_at, send_by=placed.placed_at
        )
        done.adopted.append(book(order=order, report=gateway.fetch_order(placed.exchange_order_id)))


def _recorded(market: Market, number: uuid.UUID, placed: PlacedOrder, done: Restored) -> Order | None:
    """Write the row of an order that one of our subscriptions placed, as of unknown fate, or return None.

    One that was made after the order may have the number of one that the restore lost, and did not place it.
    """
    made_before = done.account.subscriptions.filter(created_at__lte=placed.placed_at + CLOCKS_APART)
    for subscription in made_before.filter(market=market).select_related("market"):
        for leg, moment_at in _moments(subscription, placed.placed_at):
            if client_order_id(subscription.pk, moment_at, leg) == number:
                return _record(subscription, leg, moment_at, placed)
    return None


def _record(subscription: Subscription, leg: str, moment_at: datetime, placed: PlacedOrder) -> Order:
    number = client_order_id(subscription.pk, moment_at, leg)
    rests_for = subscription.execution.limit_timeout_seconds
    limit, stop = placed.limit_price, placed.stop_price
    is_resting = limit is not None and leg != GUARD
    with transaction.atomic():
        order, is_new = Order.objects.get_or_create(
            client_order_id=number,
            defaults={
                "payload": payload(subscription, number, placed.side, placed.amount, limit=limit, stop=stop),
                "subscription": subscription,
                "moment_at": moment_at,
                "leg": leg,
                "side": placed.side,
                "kind": Order.Kind.MARKET if limit is None else Order.Kind.LIMIT,
                "amount": placed.amount,
                "limit_price": limit,
                "stop_price": stop,
                "expires_at": placed.placed_at + timedelta(seconds=rests_for)
                if is_resting and rests_for
                else None,
                "source": STOP_LOSS if leg == GUARD else "",
                "reason": ADOPTED,
                "state": Order.State.UNKNOWN,
                "sent_at": placed.placed_at,
                "send_by": placed.placed_at,
            },
        )
        if is_new and leg != GUARD:
            _count(order)
    return order


def _count(order: Order) -> None:
    """Have the risk rules count the order, if their newest look was on its day."""
    opened = position_of(order.subscription)
    positions = Position.objects.select_for_update(of=["self"]).select_related("subscription")
    position = positions.get(pk=opened.pk)
    past = position.past
    if order.sent_at is not None and past.day == order.sent_at.date():
        position.risk_state = past.ordered().to_dict()
        position.save(update_fields=["risk_state"])


def _moments(subscription: Subscription, placed_at: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield the legs and moments of which an order that the exchange dates `placed_at` may be.

    An order leaves while its moment is fresh. One in a timed-out limit's place has that limit's moment, and
    by then the limit itself is in our books.
    """
    candle = duration(subscription.timeframe)
    latest = placed_at + CLOCKS_APART
    earliest = placed_at - CLOCKS_APART - ARRIVES_WITHIN[subscription.market.exchange]
    for leg, newest, step, fresh_for in (
        (SIGNAL, floor(subscription.timeframe, latest), candle, candle),
        (STOP, floor("1m", latest), MINUTE, MINUTE + PRICE_IS_GOOD_FOR),
        (CLOSE, floor("1m", latest), MINUTE, MINUTE + PRICE_IS_GOOD_FOR),
        (GUARD, latest.replace(microsecond=0), SECOND, SECOND + FRESH_FOR),
    ):
        for number in range((newest - earliest + fresh_for) // step + 1):
            yield leg, newest - number * step
    limits = Order.objects.filter(subscription=subscription, leg=SIGNAL, kind=Order.Kind.LIMIT)
    for moment_at in limits.order_by("-moment_at").values_list("moment_at", flat=True).iterator():
        yield TIMEOUT, moment_at


def _number_like_ours(client_order_id: str) -> uuid.UUID | None:
    try:
        number = uuid.UUID(client_order_id)
    except ValueError:
        return None
    return number if number.version == OURS else None
