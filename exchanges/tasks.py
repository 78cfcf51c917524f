"""What workers do about exchange accounts and old candles. Each task may come twice, late, or not at all."""

import logging

from celery import Task, shared_task
from django.utils import timezone

from exchanges import checking
from exchanges.archiving import archive
from exchanges.balances import refresh_balances
from exchanges.errors import CandleStoreError, ExchangeUnavailable, KeyRefused
from exchanges.models import Candle, ExchangeAccount, Market

logger = logging.getLogger(__name__)

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
    read_balances.delay(account_id)


@shared_task(
    autoretry_for=[ExchangeUnavailable],
    max_retries=TRIES,
    default_retry_delay=PAUSE_SECONDS,
    throws=[KeyRefused],
    time_limit=120,
)
def read_balances(account_id: int) -> None:
    """Read what a usable account holds."""
    account = ExchangeAccount.objects.usable().filter(pk=account_id).first()
    if account is not None:
        refresh_balances(account)


@shared_task(time_limit=60)
def check_accounts() -> None:
    """Have every key checked again: rights may have been taken, or added."""
    for account_id in ExchangeAccount.objects.with_keys().values_list("pk", flat=True):
        check_account.delay(account_id)


@shared_task(time_limit=3600)
def archive_candles() -> None:
    """Move old candles into the history, market by market; what one of them lacks holds no other up."""
    series = Candle.objects.order_by().values_list("market", "timeframe").distinct()
    markets = Market.objects.in_bulk({market_id for market_id, _ in series})
    for market_id, timeframe in series:
        try:
            archive(markets[market_id], timeframe, timezone.now())
        except CandleStoreError:
            logger.exception("Candles of %s %s could not be moved", markets[market_id], timeframe)
