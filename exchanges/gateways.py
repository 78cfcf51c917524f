"""Which gateway serves an exchange in this installation: real hosts, or the simulator in their place."""

from functools import cache
from typing import TYPE_CHECKING

import redis
from django.conf import settings

from exchanges.errors import UnknownExchange
from exchanges.rate_budget import SHORT_WAIT_SECONDS, RateBudget

if TYPE_CHECKING:
    from exchanges.ccxt_account import CcxtAccount
    from exchanges.ccxt_gateway import CcxtGateway
    from exchanges.credentials import Credentials


@cache
def public_gateway(exchange: str) -> "CcxtGateway":
    """Return this process's gateway to the exchange's market data; the settings say whether it is simulated.

    Raises UnknownExchange for one that is switched off. Loads ccxt: call it in workers and commands only.
    """
    if exchange not in settings.SUPPORTED_EXCHANGES:
        choices = ", ".join(settings.SUPPORTED_EXCHANGES)
        raise UnknownExchange(f"{exchange!r} is not one of SUPPORTED_EXCHANGES; choose one of {choices}.")
    # ccxt costs 80 MB and half a second to import; web processes import this module and never get here
    from exchanges.ccxt_gateway import CcxtGateway  # noqa: PLC0415

    budget = shared_budget(exchange)
    budget.patience_seconds = SHORT_WAIT_SECONDS
    return CcxtGateway(exchange, _simulator_url(), budget)


def account_client(exchange: str, environment: str, credentials: "Credentials") -> "CcxtAccount":
    """Return a client for one account, for one task. Raises UnknownExchange; loads ccxt, as above."""
    from exchanges.ccxt_account import CcxtAccount  # noqa: PLC0415

    # the testnet has markets of its own
    markets_of = public_gateway(exchange) if environment == "LIVE" else None
    budget = shared_budget(exchange)
    url = _simulator_url()
    return CcxtAccount(exchange, environment, credentials, url, budget, markets_of=markets_of)


def _simulator_url() -> str | None:
    return settings.EXCHANGE_SIMULATOR_URL if settings.MARKET_DATA == "simulator" else None


def shared_budget(exchange: str) -> RateBudget:
    """Return what all processes that leave by this machine's address may ask of the exchange together."""
    return RateBudget(shared_redis(), exchange, settings.EGRESS_ADDRESS)


def shared_redis() -> redis.Redis:
    """Return this process's connections to the Redis of all; whoever waits for 5 s gets an error."""
    return _redis_at(settings.REDIS_URL)


@cache
def _redis_at(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
