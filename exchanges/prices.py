"""Prices of the moment: asked for once, and then read by all who need them within a few seconds."""

from contextlib import suppress

from django.core.cache import cache
from redis.exceptions import RedisError

from exchanges.gateway import Ticker
from exchanges.gateways import public_gateway
from exchanges.models import Market
from exchanges.rate_budget import SHORT_WAIT_SECONDS
from exchanges.turns import in_turn

GOOD_FOR_SECONDS = 5  # timeframes of a market that close at once are viewed within this


def fetch_ticker(market: Market) -> Ticker:
    """Return the market's prices, as any process was told them within the last five seconds.

    Raises ExchangeError. Loads ccxt: call it in workers and commands only.
    """
    known = _known(market)
    if known is not None:
        return known
    gateway = public_gateway(market.exchange)
    of_what = market.exchange if gateway.tells_all_prices else market.pk
    # not for long: an exchange that hangs must not take the workers from the others
    with in_turn(f"prices:{of_what}", SHORT_WAIT_SECONDS):
        return _known(market) or _asked(market)


def _known(market: Market) -> Ticker | None:
    try:
        known: Ticker | None = cache.get(_key(market.exchange, market.trading_pair))
    except RedisError:
        return None
    return known


def _asked(market: Market) -> Ticker:
    tickers = public_gateway(market.exchange).fetch_tickers(market.trading_pair)
    told = {_key(market.exchange, trading_pair): ticker for trading_pair, ticker in tickers.items()}
    with suppress(RedisError):
        cache.set_many(told, timeout=GOOD_FOR_SECONDS)
    return tickers[market.trading_pair]


def _key(exchange: str, trading_pair: str) -> str:
    return f"price:{exchange}:{trading_pair}"
