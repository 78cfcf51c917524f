"""Which markets there are to trade on, kept in step with the exchanges."""

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from exchanges.errors import ExchangeUnavailable
from exchanges.gateway import MarketInfo
from exchanges.gateways import public_gateway
from exchanges.models import Market

QUOTES = frozenset({"USDT", "USDC", "USD", "EUR", "BTC"})  # of thousands of pairs, those that people price in

LONGEST_ASSET = 16  # characters
SMALLEST_STEP = Decimal("1e-18")  # what an AmountField tells from zero

_RULES = ("price_tick", "amount_step", "minimum_amount", "minimum_cost", "taker_fee_fraction")


def refresh_markets(exchange: str) -> int:
    """Store the exchange's active spot markets in the quotes we know and return how many there are.

    A market that the exchange no longer lists stays, inactive. Raises UnknownExchange, and
    ExchangeUnavailable when it does not answer or lists nothing we know; then nothing changes.
    """
    offered = public_gateway(exchange).fetch_markets()
    # by pair, since an exchange may list one twice
    listed = {info.trading_pair: info for info in offered if info.quote in QUOTES and _fits(info)}
    if not listed:
        raise ExchangeUnavailable(f"{exchange} lists no market in {', '.join(sorted(QUOTES))}; try later.")
    now = timezone.now()
    markets = [
        Market(
            exchange=exchange,
            trading_pair=info.trading_pair,
            base=info.base,
            quote=info.quote,
            is_active=True,
            refreshed_at=now,
            **{rule: getattr(info.rules, rule) for rule in _RULES},
        )
        for info in listed.values()
    ]
    with transaction.atomic():
        Market.objects.bulk_create(
            markets,
            batch_size=1000,
            update_conflicts=True,
            unique_fields=["exchange", "trading_pair"],
            update_fields=["base", "quote", "is_active", "refreshed_at", *_RULES],
        )
        Market.objects.filter(exchange=exchange, refreshed_at__lt=now).update(is_active=False)
    return len(markets)


def _fits(info: MarketInfo) -> bool:
    """Tell whether our columns can hold the market; one odd listing must not keep out the others."""
    has_short_names = len(info.base) <= LONGEST_ASSET and len(info.trading_pair) <= 2 * LONGEST_ASSET
    return has_short_names and min(info.rules.price_tick, info.rules.amount_step) >= SMALLEST_STEP
