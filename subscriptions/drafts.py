"""What a trader has entered of a new subscription, kept for two weeks: over sign-ins, tabs and devices.

There is one draft for each bot. It has what was typed, to the letter: what the form refuses waits there to be
put right, and nothing starts with it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NotRequired, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from bots.models import Bot, BotVersion
from exchanges.models import ExchangeAccount, Market
from exchanges.templatetags.amounts import plain
from subscriptions import changing, lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.forms import initial_settings
from subscriptions.lifecycle import Wish
from subscriptions.models import Subscription, SubscriptionDraft

KEPT_FOR = timedelta(days=14)


class Settled(TypedDict):
    """What a new subscription may begin like; `documents` are named as a subscription's are."""

    market: Market
    timeframe: str
    allocated_capital: Decimal  # in quote
    documents: Mapping[str, Mapping[str, Any]]
    account: NotRequired[ExchangeAccount | None]  # None, or left out, is paper


def find(*, trader: User, bot: Bot) -> SubscriptionDraft | None:
    """Return what the trader entered for the bot, or None when that is nothing or too long ago."""
    young = SubscriptionDraft.objects.filter(changed_at__gte=timezone.now() - KEPT_FOR)
    return young.filter(trader=trader, bot=bot).first()


def mark_of(draft: SubscriptionDraft, version: BotVersion) -> str:
    """Return what a page says of the draft that it shows with this version offered.

    Neither a later draft nor a later state is called so.
    """
    return f"{draft.pk}.{draft.revision}.{version.pk}"


@transaction.atomic
def keep(*, trader: User, bot: Bot, entered: Mapping[str, Any]) -> SubscriptionDraft:
    """Add to the draft what was entered by field; one that is too old begins anew."""
    mine = SubscriptionDraft.objects.filter(trader=trader, bot=bot)
    mine.filter(changed_at__lt=timezone.now() - KEPT_FOR).delete()
    draft, _ = mine.select_for_update(of=["self"]).get_or_create(trader=trader, bot=bot)
    draft.entered |= entered
    draft.revision += 1
    draft.save()
    return draft


def begin_like(*, trader: User, version: BotVersion, **settled: Unpack[Settled]) -> SubscriptionDraft:
    """Fill the draft for the version's bot in with what was settled elsewhere; on paper, if that was live.

    A parameter that does not fit the version has its default.
    """
    documents, account = settled["documents"], settled.get("account")
    fitting = {"strategy_config": changing.fitting(documents["strategy_config"], version)}
    entered = {
        "account": "" if account is None or account.is_live else str(account.pk),
        "exchange_type": settled["market"].exchange,
        "trading_pair": settled["market"].trading_pair,
        "timeframe": settled["timeframe"],
        "allocated_capital": plain(settled["allocated_capital"]),
        **initial_settings(**{**documents, **fitting}),
    }
    return keep(trader=trader, bot=version.bot, entered=entered)


@transaction.atomic
def forget(*, trader: User, bot: Bot, names: Collection[str]) -> None:
    """Have these fields begin again with what the form proposes."""
    mine = SubscriptionDraft.objects.filter(trader=trader, bot=bot)
    draft = mine.select_for_update(of=["self"]).first()
    if draft is not None:
        draft.entered = {name: value for name, value in draft.entered.items() if name not in names}
        draft.revision += 1
        draft.save()


def discard(*, trader: User, bot: Bot) -> None:
    """Forget everything that was entered for the bot."""
    SubscriptionDraft.objects.filter(trader=trader, bot=bot).delete()


def forget_old(at: datetime) -> None:
    """Delete what nobody went on with."""
    SubscriptionDraft.objects.filter(changed_at__lt=at - KEPT_FOR).delete()


@transaction.atomic
def start(*, seen: str, **wish: Unpack[Wish]) -> Subscription:
    """Subscribe as `lifecycle.subscribe` does, and raise what that raises; a draft starts one subscription.

    `seen` is the draft's mark on the page. Raises SubscriptionError when it is another by now.
    """
    mine = SubscriptionDraft.objects.filter(trader=wish["trader"], bot=wish["bot"])
    draft = mine.select_for_update(of=["self"]).first()
    version = wish["bot"].current_version
    if draft is None or version is None or mark_of(draft, version) != seen:
        raise SubscriptionError(
            "Nothing was started by this: it was started before, changed in another window, or another "
            "version is offered now. Look again."
        )
    draft.delete()
    return lifecycle.subscribe(**wish)
