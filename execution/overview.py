"""What a trader sees first: all their bots together, what needs their attention, and each bot's state.

However many subscriptions a person has, and however many others have, the number of queries is the same.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from django.core.paginator import Page, Paginator
from django.db.models import OuterRef, Subquery
from django.urls import reverse

from accounts.models import User
from bot_sdk.timeframes import duration, floor
from bots.models import BotVersion
from exchanges.models import ExchangeAccount
from execution.models import GUARD, Cycle, Order
from execution.progress import next_run_at
from execution.protection import SALE_TAKES, Protection, protection_of
from execution.valuation import Price, Total, Valuation, looked_at_today, newest_prices, totals, value
from execution.words import PROTECTIONS, short_verdict
from subscriptions.changing import CHANGEABLE
from subscriptions.models import Subscription, SubscriptionQuerySet
from subscriptions.switches import Standing, standing_of

ROWS_PER_PAGE = 25
MOST_CONCERNS = 12  # that are spelled out; the rows of the others come first in the table
WHY_UNWATCHED = (
    "Either this marketplace was off, and looks again within a minute or two of its start, or {exchange} "
    "gives us no price. If this stays, look at what is held, and sell it if need be."
)
LATE_AFTER = timedelta(minutes=2)  # a candle that is not stored so long after its close is late

NOT_SHOWN = (  # what is long, and what is JSON, which takes as long to read as the rest of a row
    *("strategy_config", "execution_config"),
    *(
        "bot__description",
        "bot__record",
        "bot__record_text",
        "bot__trading_pairs",
        "bot__timeframes",
        "bot__exchanges",
    ),
    *("version__release_notes", "version__parameters", "version__risk_defaults"),
)

State = Subscription.State


class Urgency(IntEnum):
    """How soon somebody should look, the soonest first."""

    MONEY = 1  # a position or an order is in doubt
    STOPPED = 2  # a bot does not do what its trader started it for
    TROUBLE = 3  # it runs, but something of it fails
    OFFER = 4  # there is something new


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that needs its trader, in a sentence, with the page on which it is mended."""

    urgency: Urgency
    subject: str
    says: str
    remedy: str  # what the link says
    url: str
    at: datetime | None = None  # since when, where that is known


@dataclass(frozen=True, slots=True)
class Row:
    """One subscription; `next_run_at` is None when it does not run.

    `is_in_doubt` says that nobody knows yet what became of an order, `is_halted` that none may go out.
    """

    subscription: Subscription
    valuation: Valuation
    cycle: Cycle | None
    protection: Protection
    next_run_at: datetime | None
    is_in_doubt: bool
    is_halted: bool

    @property
    def is_unwatched(self) -> bool:
        """Whether nobody here has looked for too long at what should be watched."""
        only_rests = self.protection == Protection.RESTING and self.subscription.is_active
        return not self.is_halted and (only_rests or self.protection == Protection.UNWATCHED)

    @property
    def waits_for_orders(self) -> bool:
        """Whether what it holds is less safe for as long as no order may go out."""
        return self.is_halted and self.protection in (Protection.RESTING, Protection.HALTED)


@dataclass(frozen=True)
class Overview:
    """The page. `totals` and `concerns` are of everything that is not stopped; `page` has the rows shown.

    `stopped_today` is what stopped today, added up like `totals`, without what made nothing today.
    """

    at: datetime
    standing: Standing
    totals: list[Total]
    stopped_today: list[Total]
    concerns: list[Concern]
    page: Page
    shows_stopped: bool
    current_count: int
    stopped_count: int
    priced_at: datetime | None  # close of the newest candle that anything here is valued at

    @property
    def more_concerns(self) -> int:
        return max(len(self.concerns) - MOST_CONCERNS, 0)

    @property
    def told_concerns(self) -> list[Concern]:
        return self.concerns[:MOST_CONCERNS]

    @property
    def token(self) -> str:
        """A short text that differs whenever the page would show something else."""
        rows = [
            (
                *(row.subscription.pk, row.subscription.state, row.valuation.equity, row.protection),
                *(row.next_run_at, row.cycle and (row.cycle.pk, row.cycle.state, row.cycle.skip)),
                row.cycle and getattr(getattr(row.cycle, "order", None), "state", None),
            )
            for row in self.page
        ]
        counts = (self.current_count, self.stopped_count, self.page.number, self.priced_at)
        facts = (rows, counts, self.totals, self.stopped_today, self.concerns, self.standing)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def overview(trader: User, at: datetime, *, shows_stopped: bool = False, page: str | None = None) -> Overview:
    """Return what the trader's dashboard shows at this moment; where there is no such `page`, the nearest."""
    everything = Subscription.objects.of(trader)
    stopped = everything.filter(state=State.STOPPED)
    current = list(_read(everything.exclude(state=State.STOPPED)))
    prices, standing = newest_prices(current), standing_of(trader.pk)
    rows = _rows(current, prices, at, standing)
    by_subscription = _concerns(rows, at)
    concerns = sorted(
        (concern for concerns in by_subscription.values() for concern in concerns),
        key=lambda concern: concern.urgency,
    )
    shown: Paginator
    if shows_stopped:
        shown = Paginator(_read(stopped), ROWS_PER_PAGE)
        stopped_count = shown.count
    else:
        rows.sort(key=lambda row: _urgency(by_subscription[row.subscription.pk]))  # those alike stay in order
        shown = Paginator(rows, ROWS_PER_PAGE)
        stopped_count = stopped.count()
    of_page = shown.get_page(page)
    if shows_stopped:
        those = list(of_page)
        of_page.object_list = _rows(those, newest_prices(those), at, standing)
    return Overview(
        at=at,
        standing=standing,
        totals=totals((row.subscription, row.valuation) for row in rows),
        stopped_today=_made_today(stopped, at),
        concerns=list(dict.fromkeys(concerns)),  # an account's is the same for all that trade on it
        page=of_page,
        shows_stopped=shows_stopped,
        current_count=len(current),
        stopped_count=stopped_count,
        priced_at=max((price.at for price in prices.values()), default=None),
    )


def _read(subscriptions: SubscriptionQuerySet) -> SubscriptionQuerySet:
    return subscriptions.with_names().with_activity().select_related("position").defer(*NOT_SHOWN)


def _made_today(stopped: SubscriptionQuerySet, at: datetime) -> list[Total]:
    """What was lost today stays lost when the bot is stopped."""
    ended = stopped.filter(looked_at_today(), stopped_at__gte=floor("1d", at))
    those = list(ended.with_names().select_related("position").defer(*NOT_SHOWN))
    prices = newest_prices(those)
    added_up = totals((found, value(found, prices.get(found.pk))) for found in those)
    return [total for total in added_up if total.result_today]


def _rows(
    subscriptions: list[Subscription], prices: dict[int, Price], at: datetime, standing: Standing
) -> list[Row]:
    cycles = _newest_cycles(subscriptions)
    guards = Order.objects.filter(leg=GUARD, state=Order.State.OPEN)
    telling = (guards | Order.objects.unsettled()).filter(subscription__in=subscriptions).order_by()
    states = list(telling.values_list("subscription", "state"))
    guarded = {pk for pk, state in states if state == Order.State.OPEN}
    in_doubt = {pk for pk, state in states if state != Order.State.OPEN}
    return [
        Row(
            subscription=found,
            valuation=value(found, prices.get(found.pk)),
            cycle=cycles.get(found.pk),
            protection=protection_of(
                found, at, is_running=found.is_active, standing=standing, guarded=guarded
            ),
            next_run_at=next_run_at(found.timeframe, at) if found.is_active else None,
            is_in_doubt=found.pk in in_doubt,
            is_halted=standing.is_halted,
        )
        for found in subscriptions
    ]


def _newest_cycles(subscriptions: list[Subscription]) -> dict[int, Cycle]:
    """Return each subscription's newest cycle, looked up one by one in the index of a single query."""
    of_pk = {found.pk: found for found in subscriptions}
    newest = Cycle.objects.filter(subscription=OuterRef("pk")).order_by("-candle_opened_at").values("pk")[:1]
    of_these = Subscription.objects.filter(pk__in=of_pk).order_by()
    newest_pks = of_these.annotate(newest=Subquery(newest)).values("newest")
    cycles = Cycle.objects.filter(pk__in=newest_pks).select_related("order").defer("log", "receipt", "asked")
    for cycle in cycles:
        cycle.subscription = of_pk[cycle.subscription_id]  # which is read already
    return {cycle.subscription_id: cycle for cycle in cycles}


def _concerns(rows: list[Row], at: datetime) -> dict[int, list[Concern]]:
    """Return by subscription what of it needs its trader; nothing where all is well."""
    newer = _newer_versions([row.subscription for row in rows])
    return {
        row.subscription.pk: [
            *_of_money(row),
            *_of_sale(row, at),
            *_of_stopping(row),
            *_of_trouble(row, at),
            *_of_offers(row.subscription, newer.get(row.subscription.pk)),
        ]
        for row in rows
    }


def _of_money(row: Row) -> Iterable[Concern]:
    found = row.subscription
    if row.protection == Protection.PAUSED:
        says = f"It holds a position, and {PROTECTIONS[row.protection]}."
        yield Concern(Urgency.MONEY, str(found), says, "See its position", found.get_absolute_url())
    elif row.is_unwatched:
        why = WHY_UNWATCHED.format(exchange=found.market.get_exchange_display())
        says = f"It holds a position, and {PROTECTIONS[row.protection]}. {why}"
        yield Concern(
            Urgency.MONEY,
            str(found),
            says,
            "See its position",
            found.get_absolute_url(),
            found.position.watched_at,
        )
    elif row.waits_for_orders:
        says = f"It holds a position, and {PROTECTIONS[row.protection]}."
        yield Concern(Urgency.MONEY, str(found), says, "See the limits", reverse("execution:limits"))
    if row.is_in_doubt:
        says = "We are asking the exchange what became of an order. Until it answers, nothing more is bought."
        yield Concern(Urgency.MONEY, str(found), says, "See the order", f"{found.get_absolute_url()}#orders")


def _of_sale(row: Row, at: datetime) -> Iterable[Concern]:
    """What a trader wants sold and nobody has sold."""
    found = row.subscription
    is_held = row.protection != Protection.FLAT
    if found.state == State.CLOSING and is_held and at - found.changed_at > SALE_TAKES:
        why = (
            "While trading is halted no order goes out."
            if row.is_halted
            else "Its orders say why; if there is none, its exchange gives no price or does not answer."
        )
        says = f"What it holds is to be sold, and is not sold yet. {why}"
        url = f"{found.get_absolute_url()}#orders"
        yield Concern(Urgency.MONEY, str(found), says, "See its orders", url, found.changed_at)


def _of_stopping(row: Row) -> Iterable[Concern]:
    found, account = row.subscription, row.subscription.account
    position = getattr(found, "position", None)
    if position and position.past.is_halted:
        holds = row.protection != Protection.FLAT
        sold = "what it holds is not sold" if holds else "it holds nothing"
        says = f"Its drawdown limit was reached: {sold}, and it buys nothing until you allow it."
        yield Concern(Urgency.STOPPED, str(found), says, "Lift the halt", found.get_absolute_url())
    refused = (ExchangeAccount.State.REFUSED, ExchangeAccount.State.LOST_RIGHTS)
    if account and account.state in refused:
        says = f"{account.get_state_display()}: {account.state_reason}"
        yield Concern(Urgency.STOPPED, account.label, says, "Mend the account", account.get_absolute_url())
    elif found.state == State.PAUSED and found.state_reason:
        says = f"Paused, and not by you: {found.state_reason}"
        remedy = "See what you can do" if found.could_not_sell else "See and resume it"
        yield Concern(Urgency.STOPPED, str(found), says, remedy, found.get_absolute_url())
    elif found.state in Subscription.SENDING and row.next_run_at is None and found.state != State.CLOSING:
        says = "It does not run: its exchange account cannot be used now."
        yield Concern(Urgency.STOPPED, str(found), says, "See why", (account or found).get_absolute_url())
    if not found.is_asked:
        version, bot = found.version, found.bot
        state = bot if version.may_run else version
        name = bot.name if version.may_run else f"{version.number} of it"
        says = f"{name} is not run any more ({state.get_state_display().lower()}). {state.state_reason}"
        yield Concern(
            Urgency.STOPPED, str(found), says.strip(), "See what you can do", found.get_absolute_url()
        )


def _of_trouble(row: Row, at: datetime) -> Iterable[Concern]:
    found = row.subscription
    if row.next_run_at is None:
        return
    if row.cycle and row.cycle.has_failed:
        says = (
            f"Its last run failed: {short_verdict(row.cycle.verdict).lower()}."
            if row.cycle.verdict
            else "Its last run was interrupted, as by a stop of this marketplace. The next one ends this."
        )
        yield Concern(
            Urgency.TROUBLE,
            str(found),
            says,
            "See the run",
            row.cycle.get_absolute_url(),
            row.cycle.candle_closed_at,
        )
    price = row.valuation.price
    priced_at = max(price.at, found.changed_at) if price else found.changed_at  # not fetched while none runs
    if at - priced_at > duration(found.timeframe) + LATE_AFTER:
        says = (
            f"No new candle of {found.market} has come: it decides nothing, and its worth here is old. The "
            "next candle that comes ends this."
        )
        bots = f"{reverse('execution:dashboard')}#bots-title"  # the same for all on this market: said once
        since = price.at if price else found.created_at
        yield Concern(Urgency.TROUBLE, str(found.market), says, "See the bots", bots, since)


def _of_offers(found: Subscription, newer: BotVersion | None) -> Iterable[Concern]:
    if newer:
        says = f"{newer.number} is offered; you have {found.version.number}."
        url = f"{reverse('subscriptions:move', args=[found.pk])}?to={newer.number}"
        yield Concern(Urgency.OFFER, str(found), says, "See what would change", url)


def _newer_versions(subscriptions: list[Subscription]) -> dict[int, BotVersion]:
    """Return by subscription the highest version that is offered instead, where that is a newer one."""
    changeable = [
        found for found in subscriptions if found.state in CHANGEABLE and found.bot.state == "LISTED"
    ]
    offered: dict[int, BotVersion] = {}
    bots = {found.bot_id for found in changeable}
    for version in BotVersion.objects.published().filter(bot__in=bots).order_by().only("bot", "number"):
        best = offered.get(version.bot_id)
        if best is None or version.precedence > best.precedence:
            offered[version.bot_id] = version
    return {
        found.pk: offered[found.bot_id]
        for found in changeable
        if found.bot_id in offered and offered[found.bot_id].precedence > found.version.precedence
    }


def _urgency(concerns: list[Concern]) -> int:
    pressing = [concern.urgency for concern in concerns if concern.urgency != Urgency.OFFER]
    return min(pressing, default=Urgency.OFFER)
