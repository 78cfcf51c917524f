"""Which gateway serves an exchange in this installation: real hosts, or the simulator in their place."""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from exchanges.errors import UnknownExchange

if TYPE_CHECKING:
    from exchanges.ccxt_gateway import CcxtGateway

SIMULATED_EXCHANGES = ("BINANCE",)


def available_exchanges() -> tuple[str, ...]:
    """Return the supported exchanges that this installation's source of market data has."""
    supported = tuple(settings.SUPPORTED_EXCHANGES)
    if settings.MARKET_DATA == "live":
        return supported
    return tuple(exchange for exchange in supported if exchange in SIMULATED_EXCHANGES)


@cache
def public_gateway(exchange: str) -> "CcxtGateway":
    """Return this process's gateway to the exchange's market data; the settings say whether it is simulated.

    Raises UnknownExchange for one that is not available. Loads ccxt: call it in workers and commands only.
    """
    if exchange not in available_exchanges():
        choices = ", ".join(available_exchanges()) or "none"
        raise UnknownExchange(
            f"{exchange!r} is not available with MARKET_DATA={settings.MARKET_DATA}; available: {choices}."
        )
    # ccxt costs 80 MB and half a second to import; web processes import this module and never get here
    from exchanges.ccxt_gateway import CcxtGateway  # noqa: PLC0415

    simulator_url = settings.EXCHANGE_SIMULATOR_URL if settings.MARKET_DATA == "simulator" else None
    return CcxtGateway(exchange, simulator_url)
