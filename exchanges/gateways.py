"""Which gateway serves an exchange in this installation: real hosts, or the simulator in their place."""

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import redis
from django.conf import settings

from exchanges.errors import KeyRefused, UnknownExchange, UnknownMarket
from exchanges.gateway import Ticker
from exchanges.paper_gateway import PaperGateway
from exchanges.rate_budget import SHORT_WAIT_SECONDS, RateBudget
from exchanges.vault import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchanges.ccxt_account import CcxtAccount
    from exchanges.ccxt_gateway import CcxtGateway
    from exchanges.ccxt_trading import CcxtTrading
    from exchanges.credentials import Credentials
    from exchanges.gateway import TradingGateway
    from exchanges.models import ExchangeAccount, Market


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
    """Return a client for one account, for one task. Raises UnknownExchange; loads ccxt, as above.

    Raises KeyRefused for a live account where EXCHANGE_TESTNET_MODE forbids them.
    """
    if environment == "LIVE" and settings.EXCHANGE_TESTNET_MODE:
        raise KeyRefused("Live accounts are switched off here by EXCHANGE_TESTNET_MODE.")
    from exchanges.ccxt_account import CcxtAccount  # noqa: PLC0415

    # the testnet has markets of its own
    markets_of = public_gateway(exchange) if environment == "LIVE" else None
    budget = shared_budget(exchange, environment)
    url = _simulator_url()
    return CcxtAccount(exchange, environment, credentials, url, budget, markets_of=markets_of)


@contextmanager
def trading_gateway(
    account: "ExchangeAccount | None", market: "Market", ticker: Ticker
) -> "Iterator[TradingGateway]":
    """Give what takes orders on `market` for the account; paper, priced by `ticker`, for None.

    Raises ExchangeError and VaultError before anything is sent. Loads ccxt, but not for paper.
    """
    if account is None or not account.needs_keys:
        yield PaperGateway(market.trading_pair, market.rules, ticker)
        return
    with exchange_gateway(account, market, ticker) as gateway:
        yield gateway


@contextmanager
def exchange_gateway(
    account: "ExchangeAccount", market: "Market", ticker: Ticker | None = None
) -> "Iterator[CcxtTrading]":
    """Give the account's gateway to `market` for one task; without a `ticker` only to look things up.

    Raises ExchangeError, and VaultError when its keys do not open.
    """
    from exchanges.ccxt_trading import CcxtTrading  # noqa: PLC0415

    if account.exchange != market.exchange:
        raise UnknownMarket(f"{account} cannot trade {market}.")
    with opened(account) as credentials:
        client = account_client(account.exchange, account.environment, credentials)
        yield CcxtTrading(client, market.trading_pair, market.rules, ticker)


def _simulator_url() -> str | None:
    return settings.EXCHANGE_SIMULATOR_URL if settings.MARKET_DATA == "simulator" else None


def shared_budget(exchange: str, environment: str = "LIVE") -> RateBudget:
    """Return what all processes that leave by this machine's address may ask of the exchange together.

    A testnet counts, and bans, by itself.
    """
    address = settings.EGRESS_ADDRESS if environment == "LIVE" else f"{settings.EGRESS_ADDRESS}:{environment}"
    return RateBudget(shared_redis(), exchange, address)


def shared_redis() -> redis.Redis:
    """Return this process's connections to the Redis of all; whoever waits for 5 s gets an error."""
    return _redis_at(settings.REDIS_URL)


@cache
def _redis_at(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
