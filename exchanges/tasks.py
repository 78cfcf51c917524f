"""What workers do about exchange accounts. Each task may be delivered twice, late, or not at all."""

from celery import Task, shared_task

from exchanges import checking
from exchanges.errors import ExchangeUnavailable
from exchanges.models import ExchangeAccount

TRIES = 3
PAUSE_SECONDS = 5


@shared_task(bind=True, max_retries=TRIES, time_limit=120)
def check_account(self: Task, account_id: int) -> None:
    """Check one account's key; retries while the exchange does not answer."""
    account = ExchangeAccount.objects.with_keys().filter(pk=account_id).first()
    if account is None:
        return
    try:
        checking.check(account)
    except ExchangeUnavailable as error:
        if self.request.retries < TRIES:
            raise self.retry(exc=error, countdown=PAUSE_SECONDS) from error
        checking.give_up(account, error)


@shared_task(time_limit=60)
def check_accounts() -> None:
    """Have every key checked again: rights may have been taken, or added."""
    for account_id in ExchangeAccount.objects.with_keys().values_list("pk", flat=True):
        check_account.delay(account_id)
