"""What workers do about subscriptions. Each task may come twice, late, or not at all."""

from celery import shared_task
from django.utils import timezone

from bots.models import BotVersion
from exchanges.models import ExchangeAccount
from subscriptions import drafts, lifecycle
from subscriptions.models import Subscription


@shared_task(time_limit=120)
def pause_for_account(account_id: int) -> None:
    """Pause what trades on an account whose keys are no longer good, and tell its owner once."""
    states = ExchangeAccount.State
    refused = ExchangeAccount.objects.filter(state__in=[states.LOST_RIGHTS, states.REFUSED])
    account = refused.select_related("owner").filter(pk=account_id).first()
    if account is not None:
        lifecycle.pause_on(account=account)


@shared_task(time_limit=300)
def tell_of_stopped_bot(bot_id: int) -> None:
    """Wait until nothing that staff have stopped at a bot can send an order, and tell each trader once."""
    for ids in lifecycle.settle_stopped(bot_id=bot_id):
        lifecycle.tell_of_stopped_bot(subscriptions=Subscription.objects.with_names().filter(pk__in=ids))


@shared_task(time_limit=60)
def tell_of_new_version(version_id: int) -> None:
    """Tell those who have an older version of a bot that this one is offered now."""
    lifecycle.tell_of_new_version(version=BotVersion.objects.select_related("bot").get(pk=version_id))


@shared_task(time_limit=300)
def forget_drafts() -> None:
    """Delete what was entered for subscriptions that nobody went on with."""
    drafts.forget_old(timezone.now())
