"""The closed trades of a subscription, as the SDK makes them of its fills."""

from bot_sdk import trades as sdk
from exchanges.models import Market
from execution.models import Fill
from execution.orders import booking_order, fee_in
from subscriptions.models import Subscription

# of a cycle its price is read: what the bot printed may be long
UNREAD = tuple(f"order__cycle__{name}" for name in ("log", "receipt", "asked"))


def trades_of(subscription: Subscription) -> list[sdk.Trade]:
    """Return what was bought and sold again, oldest first. Select the `market` beforehand.

    Raises LedgerError when the fills do not fit together.
    """
    market = subscription.market
    fills = (
        Fill.objects.filter(order__subscription=subscription).select_related("order__cycle").defer(*UNREAD)
    )
    booked = (sdk_fill(fill, market) for fill in sorted(fills, key=booking_order))
    return list(sdk.trades_of(booked, rules=market.rules))


def sdk_fill(fill: Fill, market: Market) -> sdk.Fill:
    """Return the fill as the SDK has it. Select `order__cycle` beforehand."""
    order = fill.order
    return sdk.Fill(
        side=order.side,
        amount=fill.amount,
        price=fill.price,
        fee=fill.fee,
        at=fill.filled_at,
        fee_in=fee_in(fill.fee_currency, market),
        reason=order.reason,
        source=order.source,
        decided_price=order.cycle.price if order.cycle else None,
    )
