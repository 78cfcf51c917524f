"""How far bots may trade: each trader's switch, the platform's, and what a trader's bots may do together.

No bot sees or lifts any of it. Whoever sends an order asks again at the last moment, under the subscription's
lock; so an operation that makes things stricter returns only when nothing that it forbids can be leaving.

Who has an account with real money shows once more who they are before they make anything less strict.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import Event, User
from accounts.notifying import notify
from bot_sdk.parameters import ConfigError
from exchanges.models import ExchangeAccount
from subscriptions.errors import SubscriptionError, WidensRealMoney
from subscriptions.lifecycle import LARGEST_CAPITAL, wait_until_quiet
from subscriptions.models import Envelope, Subscription, TradingState, TradingSwitch

STRICTNESS = [TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far somebody's bots may trade now, and why; `is_platforms` says that the platform holds them.

    `allowed_at` is when a halt was last lifted; None when none ever was.
    """

    state: TradingState = TradingState.ACTIVE
    reason: str = ""
    is_platforms: bool = False
    allowed_at: datetime | None = None

    @property
    def is_halted(self) -> bool:
        """Whether no order may go out at all."""
        return self.state == TradingState.HALTED


def standing_of(trader_id: int | None) -> Standing:
    """Return the stricter of the trader's switch and the platform's; of two alike, the platform's.

    The platform's alone holds for its own runs, which have no trader.
    """
    rows = list(TradingSwitch.objects.filter(Q(trader=trader_id) | Q(trader=None)))
    if not rows:
        return Standing()
    strictest = max(rows, key=lambda row: (STRICTNESS.index(TradingState(row.state)), not row.trader_id))
    return Standing(
        TradingState(strictest.state),
        strictest.reason,
        is_platforms=strictest.trader_id is None,
        allowed_at=max((row.allowed_at for row in rows if row.allowed_at), default=None),
    )


def own_switch(trader: User) -> TradingSwitch | None:
    return TradingSwitch.objects.filter(trader=trader).first()


def platform_switch() -> TradingSwitch | None:
    return TradingSwitch.objects.filter(trader=None).select_related("changed_by").first()


def halted_among(trader_ids: Collection[int | None]) -> set[int | None]:
    """Return those of these traders whose bots may order nothing at all now; None is the platform itself."""
    halted = TradingSwitch.objects.filter(state=TradingState.HALTED)
    in_scope = halted.filter(Q(trader__in=trader_ids) | Q(trader=None))
    found: set[int | None] = set(in_scope.values_list("trader", flat=True))
    return set(trader_ids) if None in found else found


def halted_or_allowed_since(at: datetime) -> QuerySet[TradingSwitch, Any]:
    """Return, for a subquery, the keys of the traders who halted their own bots, or did until lately."""
    theirs = TradingSwitch.objects.exclude(trader=None)
    return theirs.filter(Q(state=TradingState.HALTED) | Q(allowed_at__gte=at)).values("trader")


def was_halted_until(at: datetime) -> bool:
    """Whether the platform halted everybody until then, or later."""
    return TradingSwitch.objects.filter(trader=None, allowed_at__gte=at).exists()


def set_trader_state(
    *, trader: User, state: TradingState, reason: str = "", has_shown_who: bool = False
) -> TradingSwitch:
    """Let all bots of a trader trade, only sell, or do nothing.

    `has_shown_who`: their password or second factor was given within the last minutes. When it returns, no
    order goes out any more that it forbids. Raises WidensRealMoney.
    """
    return _set(trader, state, reason, by=trader, has_shown_who=has_shown_who)


def set_platform_state(*, state: TradingState, reason: str, by: User | None) -> TradingSwitch:
    """Let all bots of everybody trade, only sell, or do nothing; staff's, and written into the audit log.

    `by` is None on the command line. Raises SubscriptionError without a reason for anything but trading:
    traders read it.
    """
    if state != TradingState.ACTIVE and not reason.strip():
        raise SubscriptionError("Say why: every trader reads it.")
    return _set(None, state, reason, by=by)


def set_envelope(
    *,
    trader: User,
    quote: str,
    max_exposure: Decimal | None,
    max_daily_loss: Decimal | None,
    has_shown_who: bool = False,
) -> Envelope:
    """Limit what all bots of a trader together may hold and lose per day in `quote`; None is no limit.

    Paper and exchange accounts are counted apart. `has_shown_who`: the trader's password or second factor was
    given within the last minutes. Raises ConfigError by field name, and WidensRealMoney.
    """
    limits = {"max_exposure": max_exposure, "max_daily_loss": max_daily_loss}
    expected = f"Enter an amount above zero and up to {LARGEST_CAPITAL:,}, or leave it empty."
    problems = {
        name: expected
        for name, limit in limits.items()
        if limit is not None and not (limit.is_finite() and 0 < limit <= LARGEST_CAPITAL)
    }
    if problems:
        raise ConfigError(problems)
    with transaction.atomic():
        locked = Envelope.objects.select_for_update(of=["self"])
        envelope, _ = locked.get_or_create(trader=trader, quote=quote)
        if any(_is_wider(limit, than=getattr(envelope, name)) for name, limit in limits.items()):
            _refuse_widening(trader, has_shown_who)
        envelope.max_exposure, envelope.max_daily_loss = max_exposure, max_daily_loss
        envelope.save()
    wait_until_quiet(Subscription.objects.filter(trader=trader, market__quote=quote))
    return envelope


def _is_wider(limit: Decimal | None, *, than: Decimal | None) -> bool:
    return than is not None and (limit is None or limit > than)


def _refuse_widening(trader: User, has_shown_who: bool) -> None:
    """Raise WidensRealMoney where there is real money, and its owner has not just shown who they are."""
    accounts = ExchangeAccount.objects.of(trader)
    if not has_shown_who and accounts.filter(environment=ExchangeAccount.Environment.LIVE).exists():
        raise WidensRealMoney("Your real money could do more then: show with your password who you are.")


def _set(
    trader: User | None,
    state: TradingState,
    reason: str,
    *,
    by: User | None,
    has_shown_who: bool = False,
) -> TradingSwitch:
    with transaction.atomic():
        switch, _ = TradingSwitch.objects.select_for_update(of=["self"]).get_or_create(trader=trader)
        was = switch.state
        if trader is not None and STRICTNESS.index(state) < STRICTNESS.index(TradingState(was)):
            _refuse_widening(trader, has_shown_who)
        if was == TradingState.HALTED != state:
            switch.allowed_at = timezone.now()
        switch.state, switch.reason, switch.changed_by = state, reason.strip()[:200], by
        switch.save()
        if trader is None:
            audit.record(
                actor=by, action="platform.trading", target=switch, state=state, reason=switch.reason
            )
        if state != was:
            _tell(switch)
    # an order of one that has just been paused may be leaving, too
    may_send = Q(state__in=Subscription.SENDING) | Q(sending_until__isnull=False)
    in_scope = Subscription.objects.filter(may_send)
    wait_until_quiet(in_scope if trader is None else in_scope.filter(trader=trader))
    return switch


def _tell(switch: TradingSwitch) -> None:
    """Have those whose bots it concerns told how far these may trade from now on."""
    running = Subscription.objects.exclude(state=Subscription.State.STOPPED)
    if switch.trader_id is None:
        whose, people = (
            "On the platform",
            list(running.order_by().values_list("trader", flat=True).distinct()),
        )
    else:
        whose, people = "Your bots", [switch.trader_id]
    notify(
        people=people,
        event=Event.HALTED,
        subject=f"{whose}: {switch.get_state_display().lower()}",
        text=switch.reason or "How far bots may trade has changed.",
        link=reverse("execution:limits"),
        key=f"switch:{switch.pk}:{switch.changed_at.isoformat()}",
    )
