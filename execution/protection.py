"""What the risk rules remember of each subscription, and whether an open position is looked after."""

from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db import transaction
from django.db.models import Q, QuerySet

from bot_sdk.configs import SELLING_LIMITS, RiskConfig
from bot_sdk.risk_state import RiskState
from execution import bulk
from execution.guards import guard_of
from execution.models import Position
from execution.orders import position_of
from execution.telling import tell_of_halt
from subscriptions.models import Subscription
from subscriptions.platform_limits import platform_limits
from subscriptions.switches import Standing, halted_or_allowed_since, was_halted_until

UNWATCHED_AFTER = timedelta(seconds=60)
SALE_TAKES = timedelta(minutes=2)  # what is not sold at the market by then has met with something


class Protection(StrEnum):
    """Who would sell a position when its stop is reached."""

    FLAT = "flat"  # nothing is held
    OFF = "off"  # no stop is in force
    HELD = "held"  # a stop order that rests at the exchange, and our price watcher
    RESTING = "resting"  # that order alone: nobody here looks, or can act
    WATCHED = "watched"  # our price watcher
    SELLING = "selling"  # nobody has to: all of it is being sold
    PAUSED = "paused"  # nobody, since the subscription does not run
    UNWATCHED = "unwatched"  # nobody has looked for too long
    HALTED = "halted"  # nobody, since no order may go out


def protection_of(
    subscription: Subscription,
    at: datetime,
    *,
    is_running: bool,
    standing: Standing,
    guarded: Container[int] | None = None,
) -> Protection:
    """Return how the subscription's position is protected. Select its `position` beforehand.

    `standing` is its trader's. `guarded` are those whose stop rests at the exchange, if that is known for
    many; None asks for this one.
    """
    position: Position | None = getattr(subscription, "position", None)
    if position is None or not subscription.market.rules.round_down(position.base_amount):
        return Protection.FLAT
    if not subscription.risk.has_exits:
        return Protection.OFF
    has_ended = subscription.state == Subscription.State.STOPPED  # what rests is canceled in a moment
    is_closing = subscription.state == Subscription.State.CLOSING
    if not has_ended and not subscription.is_on_paper and _is_guarded(subscription, guarded):
        can_sell = (is_running or is_closing) and not standing.is_halted
        is_held = can_sell and is_watched(subscription, at, standing)
        return Protection.HELD if is_held else Protection.RESTING
    if not is_running and not is_closing:
        return Protection.PAUSED
    if standing.is_halted:
        return Protection.HALTED
    if is_closing:
        return Protection.SELLING
    return Protection.WATCHED if is_watched(subscription, at, standing) else Protection.UNWATCHED


def is_watched(subscription: Subscription, at: datetime, standing: Standing) -> bool:
    """Whether its position was looked after just now, or is to be since a moment ago."""
    since = (subscription.position.watched_at, subscription.changed_at, standing.allowed_at)
    return at - max(filter(None, since)) < UNWATCHED_AFTER


def has_stop(path: str = "") -> Q:
    """Return the condition that a limit in force can sell; `path` leads to the subscription."""
    if platform_limits().has_exits:
        return Q()
    return Q(**{f"{path}risk_config__has_any_keys": SELLING_LIMITS})


def unwatched(at: datetime) -> QuerySet[Position]:
    """Positions with a stop that nobody looked after for too long, and what was not sold as wished.

    Not of traders who stopped all trading themselves: nothing is to be done for them.
    """
    late = at - UNWATCHED_AFTER
    if was_halted_until(late):
        return Position.objects.none()
    is_late = Q(watched_at=None) | Q(watched_at__lt=late)
    running = has_stop("subscription__") & Q(subscription__in=Subscription.objects.active())
    closing = Q(subscription__in=Subscription.objects.closing(), subscription__changed_at__lt=at - SALE_TAKES)
    held = Position.objects.filter(base_amount__gt=0, subscription__changed_at__lt=late)
    wanted = held.exclude(subscription__trader__in=halted_or_allowed_since(late))
    return wanted.filter(is_late & running | closing)


def seen(position: Position, risk: RiskConfig, *, at: datetime, bid: Decimal) -> RiskState:
    """Return what the rules know once they have seen this bid."""
    return position.past.seen(at=at, bid=bid, holding=position.holding, risk=risk)


def remember(subscriptions: Iterable[Subscription], *, at: datetime, bid: Decimal) -> None:
    """Keep what the rules of these subscriptions, on one market, have seen; those without news cost nothing.

    Select their `position` beforehand.
    """
    risks = {found.position.pk: found.risk for found in subscriptions if _is_news(found, at, bid)}
    if not risks:
        return
    with transaction.atomic():
        rows = Position.objects.select_for_update(of=["self"]).select_related("subscription")
        positions = list(rows.filter(pk__in=risks).order_by("pk"))
        for position in positions:
            past = seen(position, risks[position.pk], at=at, bid=bid)
            if past.is_halted and not position.past.is_halted:
                tell_of_halt(position)
            position.risk_state = past.to_dict()
        bulk.update(positions, ["risk_state"])


def lift_halt(*, subscription: Subscription, bid: Decimal) -> Position:
    """Let a subscription buy again that its drawdown limit has halted; the limit counts from now on."""
    with transaction.atomic():
        position = Position.objects.select_for_update().get(pk=position_of(subscription).pk)
        position.risk_state = position.past.lifted(position.holding.equity(bid)).to_dict()
        position.save(update_fields=["risk_state"])
    return position


def _is_guarded(subscription: Subscription, guarded: Container[int] | None) -> bool:
    return guard_of(subscription) is not None if guarded is None else subscription.pk in guarded


def _is_news(subscription: Subscription, at: datetime, bid: Decimal) -> bool:
    position: Position | None = getattr(subscription, "position", None)
    return position is not None and seen(position, subscription.risk, at=at, bid=bid) != position.past
