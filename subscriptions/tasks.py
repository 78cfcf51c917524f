"""What workers do about subscriptions. Each task may come twice, late, or not at all."""

from celery import shared_task

from exchanges.models import ExchangeAccount
from subscriptions import lifecycle
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
        write_of_stopped_bot.delay(ids)


@shared_task(autoretry_for=[OSError], max_retries=3, default_retry_delay=60, time_limit=60)
def write_of_stopped_bot(subscription_ids: list[int]) -> None:
    """Write to one trader that staff have stopped the bot of these subscriptions."""
    stopped = Subscription.objects.with_names().select_related("trader").filter(pk__in=subscription_ids)
    lifecycle.tell_of_stopped_bot(subscriptions=stopped)


@shared_task(autoretry_for=[OSError], max_retries=3, default_retry_delay=60, time_limit=60)
def tell_of_pause(subscription_ids: list[int]) -> None:
    """Write to one trader why these subscriptions are paused; retries while mail does not leave."""
    paused = Subscription.objects.with_names().select_related("trader").filter(pk__in=subscription_ids)
    lifecycle.tell_of_pause(subscriptions=paused)
