"""Compare an exchange account with our books: its open orders, its trades and its balances.

The account is its trader's. What a person ordered or bought by hand is theirs: it is noted and left alone.
But what our subscriptions count on has to be there. Where it is not, they are paused and told what is
missing; nothing is ever bought, sold or canceled to make the books fit.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db.models import Min, Q
from django.utils import timezone

from exchanges.balances import refresh_balances
from exchanges.errors import UnknownMarket
from exchanges.gateway import AccountFill, Balance, ExchangeGateway, OrderReport, OrderState
from exchanges.gateways import exchange_gateway
from exchanges.models import ExchangeAccount, Market
from execution.alarms import Trouble, alarm
from execution.models import Order, Reconciliation
from execution.orders import book
from execution.settling import CLOCKS_APART, left_behind, look_after
from subscriptions import lifecycle
from subscriptions.models import Subscription, SubscriptionQuerySet

TRIES = 3  # to see balances between two looks at the books that are the same
SECOND_LOOK_SECONDS = 2  # an exchange may show a trade before the balances that it moved
LATEST_LANDING = timedelta(hours=1)  # how long after it was sent an order may still turn out to be traded
KEPT = 100  # reconciliations of each account
TRADES_BACK = timedelta(days=7)  # older trades are not gone through again after a long silence

# what may be missing of a quote currency: exchanges round each cost and fee in their own way, to 8 places
QUOTE_TOLERANCE_FRACTION = Decimal("0.0001")
CENT_FRACTION = Decimal("0.002")  # of the least order; it is a cent where that is 5


class Kind(StrEnum):
    SHORT = "short"  # less is there than our subscriptions count on
    ALIVE = "alive"  # an order lived on that had ended in our books
    MANUAL_ORDER = "manual order"
    MANUAL_TRADE = "manual trade"
    POSTPONED = "postponed"
    NOT_LISTED = "not listed"  # the exchange no longer has the market


MUST_NOT_BE = (Kind.SHORT, Kind.ALIVE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen: `subject` is an asset or the exchange's order, `trades` the trades meant."""

    kind: Kind
    subject: str
    says: str
    trades: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of one comparison. Balances and trades were not judged where `is_judged` is False."""

    account: ExchangeAccount
    at: datetime
    is_judged: bool
    findings: list[Finding]
    paused: list[Subscription]

    @property
    def is_clean(self) -> bool:
        return not any(finding.kind in MUST_NOT_BE for finding in self.findings)


@dataclass(slots=True)
class Claim:
    """What subscriptions count on of one asset, and how much of it may be missing."""

    amount: Decimal = Decimal(0)
    tolerance: Decimal = Decimal(0)
    subscriptions: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Stake:
    """What one subscription counts on: base units and its budget, in quote."""

    subscription: int
    base: Decimal
    budget: Decimal
    market: Market


@dataclass(slots=True)
class Seen:
    """What one comparison collects: reasons to pause, by subscription, and the findings."""

    findings: list[Finding] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)


def accounts_at_stake() -> list[int]:
    """Return the accounts that may be asked now and that some subscription counts on."""
    accounts = ExchangeAccount.objects.usable().filter(subscriptions__in=at_stake())
    return list(accounts.order_by("pk").values_list("pk", flat=True).distinct())


def reconcile(account: ExchangeAccount) -> Reconciled:
    """Bring our orders on the account up to date, compare it with our books, and store what was found.

    Subscriptions that count on what is not there are paused, and the account's owner is told in one message.
    While an order is on its way or its fate unknown, balances and trades are not judged. For workers: it
    loads ccxt. Raises ExchangeUnavailable, KeyRefused, VaultError; then nothing is stored.
    """
    at, seen = timezone.now(), Seen()
    markets = []
    for market in Market.objects.filter(subscriptions__in=at_stake(account)).distinct():
        try:
            _judge_orders(account, market, seen)
            markets.append(market)
        except UnknownMarket as error:
            seen.findings.append(Finding(Kind.NOT_LISTED, market.trading_pair, str(error)))
    is_judged = any(_judge_holdings(account, markets, seen) for _ in range(TRIES))
    if not is_judged:
        says = "An order is on its way, or what became of it is not known yet; balances are compared later."
        seen.findings.append(Finding(Kind.POSTPONED, "", says))
    paused = lifecycle.pause_for_mismatch(account=account, reasons=seen.reasons) if seen.reasons else []
    done = Reconciled(account, at, is_judged, seen.findings, paused)
    _store(done)
    return done


def at_stake(account: ExchangeAccount | None = None) -> SubscriptionQuerySet:
    """Subscriptions that run or may run again, hold something, or have an order that has not ended."""
    is_current = ~Q(state=Subscription.State.STOPPED) | Q(position__base_amount__gt=0)
    unfinished = Order.objects.unfinished().values("subscription")
    found = Subscription.objects.filter(is_current | Q(pk__in=unfinished))
    return found if account is None else found.filter(account=account)


def _judge_orders(account: ExchangeAccount, market: Market, seen: Seen) -> None:
    with exchange_gateway(account, market) as gateway:
        look_after(list(left_behind(account.pk, market.pk)), gateway)
        for report in gateway.fetch_open_orders():
            _judge_open(account, market, report, gateway, seen)


def _judge_open(
    account: ExchangeAccount, market: Market, report: OrderReport, gateway: ExchangeGateway, seen: Seen
) -> None:
    """Note an order that a person placed, and one of ours that should have ended."""
    number = report.exchange_order_id
    order = _ours(account, market, report)
    if order is None:
        says = f"An open order on {market.trading_pair} was placed by hand; it is left alone."
        seen.findings.append(Finding(Kind.MANUAL_ORDER, number, says))
    elif order.is_final:
        # it may have ended, and been booked, since the list was made
        newest = gateway.fetch_order(number)
        if newest.state == OrderState.OPEN:
            _note_alive(order, newest, seen)


def _note_alive(order: Order, report: OrderReport, seen: Seen) -> None:
    """Book what an order did of which we believed that it had ended, and have somebody look."""
    number, was = report.exchange_order_id, order.get_state_display().lower()
    book(order=order, report=report)
    is_open = report.state == OrderState.OPEN
    how = "is open" if is_open else "was executed"
    says = f"Our order {number} {how} at the exchange, but had ended as “{was}” in our books."
    seen.findings.append(Finding(Kind.ALIVE, number, says, [fill.trade_id for fill in report.fills]))
    advice = "Cancel it there, then resume." if is_open else "Look at the position, then resume."
    seen.reasons[order.subscription_id] = f"{says} {advice}"
    alarm(Trouble.BOOKS_DO_NOT_FIT, f"order {order.pk}: {says}")


def _judge_holdings(account: ExchangeAccount, markets: Sequence[Market], seen: Seen) -> bool:
    """Judge balances and trades; False when the books were moving, and nothing can be said.

    Balances are read between two looks at the books. Each look asks first whether an order is on its way: so
    whatever moved money before the balances were read is in the second look, and shows as a difference.
    """
    before = _stakes(account)
    if before is None:
        return False
    since = _seen_until(account)
    by_hand: list[Finding] = []
    for market in markets:
        with exchange_gateway(account, market) as gateway:
            by_hand += _trades_by_hand(account, market, since, gateway, seen)
    short = _missing(before, refresh_balances(account))
    if short:
        time.sleep(SECOND_LOOK_SECONDS)
        short = _missing(before, refresh_balances(account))
    for market in markets:
        if orders := list(left_behind(account.pk, market.pk)):
            with exchange_gateway(account, market) as gateway:
                look_after(orders, gateway)
    if _stakes(account) != before:
        return False
    seen.findings += by_hand
    for asset, (claim, held) in short.items():
        _note_short(asset, claim, held, seen)
    return True


def _stakes(account: ExchangeAccount) -> list[Stake] | None:
    """Return what each subscription counts on; None while an order of theirs is on its way or unknown.

    One that was stopped counts on nothing: what it held is its trader's to sell.
    """
    in_flight = Order.objects.filter(state__in=[Order.State.SENDING, Order.State.UNKNOWN])
    if in_flight.filter(subscription__account=account).exists():
        return None
    current = account.subscriptions.exclude(state=Subscription.State.STOPPED).order_by("pk")
    stakes = []
    for subscription in current.select_related("position", "market"):
        position = getattr(subscription, "position", None)
        base = position.base_amount if position else Decimal(0)
        budget = position.quote_balance if position else subscription.allocated_capital
        stakes.append(Stake(subscription.pk, base, max(budget, Decimal(0)), subscription.market))
    return stakes


def _missing(stakes: Sequence[Stake], balances: Mapping[str, Balance]) -> dict[str, tuple[Claim, Decimal]]:
    """Return by asset what is claimed and what is there, where that is less; more is the trader's own."""
    held = {asset: balance.total for asset, balance in balances.items()}
    return {
        asset: (claim, held.get(asset, Decimal(0)))
        for asset, claim in _claims(stakes).items()
        if claim.amount - held.get(asset, Decimal(0)) > claim.tolerance
    }


def _note_short(asset: str, claim: Claim, held: Decimal, seen: Seen) -> None:
    says = f"The account holds {_plain(held)} {asset}; its bots count on {_plain(claim.amount)} {asset}."
    seen.findings.append(Finding(Kind.SHORT, asset, says))
    missing = f"{_plain(claim.amount - held)} {asset}"
    advice = f"Bring {missing} back, or stop bots that count on it; then resume."
    for subscription in claim.subscriptions:
        seen.reasons.setdefault(subscription, f"{says} {advice}")


def _claims(stakes: Sequence[Stake]) -> dict[str, Claim]:
    """Add up by asset. An amount may be off by one step per market, a budget by rounding."""
    claims: dict[str, Claim] = {}
    markets = {stake.market.pk: stake.market for stake in stakes}
    for stake in stakes:
        for asset, amount in ((stake.market.base, stake.base), (stake.market.quote, stake.budget)):
            claim = claims.setdefault(asset, Claim())
            claim.amount += amount
            if amount:
                claim.subscriptions.add(stake.subscription)
        claims[stake.market.quote].tolerance += stake.budget * QUOTE_TOLERANCE_FRACTION
    for market in markets.values():
        claims[market.base].tolerance += market.amount_step
        claims[market.quote].tolerance += market.minimum_cost * CENT_FRACTION
    return claims


def _trades_by_hand(
    account: ExchangeAccount, market: Market, since: datetime, gateway: ExchangeGateway, seen: Seen
) -> Iterator[Finding]:
    """Yield what a person traded, order by order; what turns out to be ours is booked and noted.

    An order of ours whose end was never seen has no number here; its client id tells, but costs a call. So
    orders are asked about only where one of ours has none.
    """
    told = _trades_told(account, since)
    trades: dict[str, list[AccountFill]] = {}
    for trade in gateway.fetch_fills(since):
        if trade.fill.trade_id not in told:
            trades.setdefault(trade.exchange_order_id, []).append(trade)
    on_market = Order.objects.filter(subscription__account=account, subscription__market=market)
    ours = on_market.filter(exchange_order_id__in=trades).values_list("exchange_order_id", flat=True)
    noted = {finding.subject for finding in seen.findings if finding.kind == Kind.ALIVE}
    numberless = on_market.filter(exchange_order_id="", sent_at__gte=since - LATEST_LANDING).exists()
    for number in trades.keys() - set(ours) - noted:
        report = gateway.fetch_order(number) if numberless else None
        order = None if report is None else _ours(account, market, report)
        if report is None or order is None:
            yield _by_hand(market, number, trades[number])
        elif order.is_final:
            _note_alive(order, report, seen)


def _by_hand(market: Market, number: str, trades: Sequence[AccountFill]) -> Finding:
    amount = sum((trade.fill.amount for trade in trades), Decimal(0))
    cost = sum((trade.fill.cost for trade in trades), Decimal(0))
    verb = "bought" if trades[0].side == "BUY" else "sold"
    says = f"{_plain(amount)} {market.base} were {verb} by hand for {_plain(cost)} {market.quote}."
    return Finding(Kind.MANUAL_TRADE, number, says, [trade.fill.trade_id for trade in trades])


def _ours(account: ExchangeAccount, market: Market, report: OrderReport) -> Order | None:
    """Return our order that the report is about, by either of its ids."""
    on_market = Order.objects.filter(subscription__account=account, subscription__market=market)
    is_ours = Q(exchange_order_id=report.exchange_order_id)
    with suppress(ValueError):  # it is no id that we gave
        is_ours |= Q(client_order_id=uuid.UUID(report.client_order_id))
    return on_market.filter(is_ours).select_related("subscription__market").first()


def _seen_until(account: ExchangeAccount) -> datetime:
    """Return from when on trades have not been looked at, with room for clocks that differ."""
    earliest = timezone.now() - TRADES_BACK
    newest = account.reconciliations.filter(is_judged=True).values_list("at", flat=True).first()
    if newest is None:
        newest = account.subscriptions.aggregate(first=Min("created_at"))["first"]
    return earliest if newest is None else max(newest - CLOCKS_APART, earliest)


def _trades_told(account: ExchangeAccount, since: datetime) -> set[str]:
    """Return which trades since then have been noted before."""
    rows = account.reconciliations.filter(at__gte=since).values_list("findings", flat=True)
    return {trade for findings in rows for finding in findings for trade in finding["trades"]}


def _store(done: Reconciled) -> None:
    rows = Reconciliation.objects.filter(account=done.account)
    rows.create(
        account=done.account,
        at=done.at,
        is_judged=done.is_judged,
        is_clean=done.is_clean,
        findings=[asdict(finding) for finding in done.findings],
    )
    rows.exclude(pk__in=list(rows.values_list("pk", flat=True)[:KEPT])).delete()


def _plain(amount: Decimal) -> str:
    return f"{round(amount, 8).normalize():f}"
