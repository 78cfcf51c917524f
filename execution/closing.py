"""A trader's wish to stop a subscription and have sold what it holds.

The sale is the price watcher's: about every ten seconds it looks at each market with something to close,
until what is held is sold or its trader stops it as it is. So nothing is lost with a worker or a message.
"""

from contextlib import suppress

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from subscriptions import lifecycle, switches
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription, TradingState

WATCH_TASK = "execution.tasks.watch_market"


def sell_and_stop(*, subscription: Subscription) -> Subscription:
    """Have all that is held sold by one market order, and the subscription stopped once it is.

    When it returns (or the transaction around it ends), nothing else is ordered any more. Raises
    SubscriptionError while nothing can be sold.
    """
    standing = switches.standing_of(subscription.trader_id)
    if standing.state == TradingState.HALTED:
        raise SubscriptionError("Trading is halted, so nothing can be sold now. You can stop and keep it.")
    closing = lifecycle.close(subscription=subscription)
    transaction.on_commit(lambda: _have_watched(closing.market_id))
    return closing


def _have_watched(market_id: int) -> None:
    with suppress(OperationalError):  # without a broker the next look comes by the clock
        current_app.send_task(WATCH_TASK, [market_id], retry=False)
