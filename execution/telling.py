"""What traders are told about their bots' trading: each in the transaction in which it happened."""

from django.utils import timezone

from accounts.models import Event
from accounts.notifying import notify
from bot_sdk.money import exact
from bot_sdk.risk import BOT
from exchanges.templatetags.amounts import plain, price
from execution.models import TRADER, Order, Position


def tell_of_fills(order: Order) -> None:
    """Have the trader told, once, what an order that has ended did; one without fills did nothing.

    Select its subscription's `bot`, `market` and `account` beforehand.
    """
    fills = list(order.fills.all())
    if not fills:
        return
    subscription, market = order.subscription, order.subscription.market
    amount, cost = sum(fill.amount for fill in fills), sum(fill.cost for fill in fills)
    with exact():
        average = price(cost / amount, market.price_tick)
    deed = "Bought" if order.side == Order.Side.BUY else "Sold"
    where = "on paper" if subscription.is_on_paper else f"on {subscription.account_name}"
    what = f"{plain(amount)} {market.base}"
    notify(
        people=[subscription.trader_id],
        event=Event.FILL if order.source in {BOT, TRADER} else Event.STOP,
        subject=f"{subscription.bot.name}: {deed.lower()} {what}",
        text=f"{deed} {what} at {average} {market.quote} on average, {where}. {order.reason}",
        link=subscription.get_absolute_url(),
        key=f"order:{order.pk}",
    )


def tell_of_halt(position: Position) -> None:
    """Have the trader told that the drawdown limit has just been reached. Select the `subscription`."""
    subscription = position.subscription
    notify(
        people=[subscription.trader_id],
        event=Event.HALTED,
        subject=f"{subscription.bot.name} is halted: the drawdown limit was reached",
        text=f"{subscription} is to sell what it holds, and buys nothing until you lift the halt.",
        link=subscription.get_absolute_url(),
        key=f"halted:{position.pk}:{timezone.now().isoformat()}",
    )
