"""Market data in the words of Binance's spot REST protocol, as far as ccxt asks for it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchanges.simulator.http import Refusal
from exchanges.simulator.listings import LISTINGS, Listing
from exchanges.simulator.market import DAY_MS, FIRST_DAY, MINUTE_MS, MOST_LEVELS, Column
from exchanges.simulator.venue import Venue

INTERVALS = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
}  # minutes; those of the real exchange that divide a day
KLINES_DEFAULT, KLINES_MOST = 500, 1000
DEPTH_DEFAULT = 100
TRADES_PER_MINUTE_MOST = 100_000  # numbers trades so that ids never go back
UNITS = 10**8  # all decimals are sent with eight places

type Query = Mapping[str, str]


def refusal(code: int, message: str, status: int = 400) -> Refusal:
    """Return Binance's way to say no."""
    return Refusal({"code": code, "msg": message}, status)


@dataclass(frozen=True)
class Denomination:
    """How one market's whole ticks and steps become the protocol's decimal strings."""

    tick: int  # in 1e-8 quote
    step: int  # in 1e-8 base
    cost: int  # of one tick x step, in 1e-8 quote

    @classmethod
    def of(cls, listing: Listing) -> "Denomination":
        return cls(
            tick=int(listing.tick * UNITS),
            step=int(listing.step * UNITS),
            cost=int(listing.tick * listing.step * UNITS),
        )


class MarketData:
    """Answers what needs no key, at the venue's time."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._market = venue.market
        self.endpoints: dict[str, Callable[[Query], object]] = {
            "GET /api/v3/ping": self._ping,
            "GET /api/v3/time": self._time,
            "GET /api/v3/exchangeInfo": self._exchange_info,
            "GET /api/v3/klines": self._klines,
            "GET /api/v3/depth": self._depth,
            "GET /api/v3/ticker/24hr": lambda query: self._tickers(query, self._last_day),
            "GET /api/v3/ticker/bookTicker": lambda query: self._tickers(query, self._book_ticker),
            "GET /api/v3/ticker/price": lambda query: self._tickers(query, self._last_price),
        }

    def _now(self) -> int:
        return self._venue.clock.milliseconds()

    def _ping(self, _query: Query) -> object:
        return {}

    def _time(self, _query: Query) -> object:
        return {"serverTime": self._now()}

    def _exchange_info(self, query: Query) -> object:
        return {
            "timezone": "UTC",
            "serverTime": self._now(),
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
                {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
                {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
            ],
            "exchangeFilters": [],
            "symbols": [_symbol_info(LISTINGS[symbol]) for symbol in _symbols(query)],
            "sors": [],
        }

    def _klines(self, query: Query) -> object:
        symbol = symbol_of(query)
        minutes = _interval(query)
        limit = limit_of(query, KLINES_DEFAULT, KLINES_MOST)
        now = self._now()
        span = minutes * MINUTE_MS
        start, end = integer(query, "startTime"), integer(query, "endTime")
        last = (now if end is None else min(end, now)) // span
        if start is None:
            first = last - limit + 1
        else:
            first = -(-max(start, FIRST_DAY * DAY_MS) // span)
            last = min(last, first + limit - 1)
        numbers, bars = self._market.candles(symbol, minutes, first, last, now)
        units = Denomination.of(LISTINGS[symbol])
        rows = zip(numbers, bars.tolist(), strict=True)
        return [_kline(number * span, span, bar, units) for number, bar in rows]

    def _depth(self, query: Query) -> object:
        symbol = symbol_of(query)
        limit = limit_of(query, DEPTH_DEFAULT, MOST_LEVELS)
        return {
            "lastUpdateId": self._market.quote(symbol, self._now()).trade,
            "bids": self._levels(symbol, "bids", limit),
            "asks": self._levels(symbol, "asks", limit),
        }

    def _levels(self, symbol: str, side: str, count: int) -> list[list[str]]:
        with self._venue.lock:
            levels = self._venue.book(symbol).levels(side, count)
        return [[eight_places(price), eight_places(amount)] for price, amount in levels]

    def _best(self, symbol: str, side: str) -> list[str]:
        """Return the best level, or the zeros that stand for an empty side."""
        levels = self._levels(symbol, side, 1)
        return levels[0] if levels else [eight_places(Decimal(0))] * 2

    def _tickers(self, query: Query, ticker: Callable[[str, int], dict[str, Any]]) -> object:
        now = self._now()
        if "symbol" in query:
            return ticker(symbol_of(query), now)
        return [ticker(symbol, now) for symbol in _symbols(query)]

    def _last_price(self, symbol: str, now: int) -> dict[str, Any]:
        tick = Denomination.of(LISTINGS[symbol]).tick
        return {"symbol": symbol, "price": _decimal(self._market.quote(symbol, now).last, tick)}

    def _book_ticker(self, symbol: str, _now: int) -> dict[str, Any]:
        bid, bid_amount = self._best(symbol, "bids")
        ask, ask_amount = self._best(symbol, "asks")
        return {
            "symbol": symbol,
            "bidPrice": bid,
            "bidQty": bid_amount,
            "askPrice": ask,
            "askQty": ask_amount,
        }

    def _last_day(self, symbol: str, now: int) -> dict[str, Any]:
        units = Denomination.of(LISTINGS[symbol])
        day = self._market.last_day(symbol, now).tolist()
        before = self._market.quote(symbol, now - DAY_MS)
        first, last = day[Column.OPEN], day[Column.CLOSE]
        average = day[Column.COST] * units.cost * UNITS // max(1, day[Column.VOLUME] * units.step)
        last_id = now // MINUTE_MS * TRADES_PER_MINUTE_MOST + now % MINUTE_MS
        return {
            "symbol": symbol,
            "priceChange": _decimal(last - first, units.tick),
            "priceChangePercent": f"{(last - first) / first * 100:.3f}",
            "weightedAvgPrice": _decimal(average, 1),
            "prevClosePrice": _decimal(before.last, units.tick),
            "lastPrice": _decimal(last, units.tick),
            "lastQty": self._best(symbol, "bids")[1],
            **self._book_ticker(symbol, now),
            "openPrice": _decimal(first, units.tick),
            "highPrice": _decimal(day[Column.HIGH], units.tick),
            "lowPrice": _decimal(day[Column.LOW], units.tick),
            "volume": _decimal(day[Column.VOLUME], units.step),
            "quoteVolume": _decimal(day[Column.COST], units.cost),
            "openTime": now - DAY_MS,
            "closeTime": now,
            "firstId": last_id - day[Column.TRADES] + 1,
            "lastId": last_id,
            "count": day[Column.TRADES],
        }


def _kline(opened_at: int, span: int, bar: list[int], units: Denomination) -> list[Any]:
    prices = (_decimal(price, units.tick) for price in bar[Column.OPEN : Column.CLOSE + 1])
    return [
        opened_at,
        *prices,
        _decimal(bar[Column.VOLUME], units.step),
        opened_at + span - 1,
        _decimal(bar[Column.COST], units.cost),
        bar[Column.TRADES],
        _decimal(bar[Column.BOUGHT_VOLUME], units.step),
        _decimal(bar[Column.BOUGHT_COST], units.cost),
        "0",
    ]


def _symbol_info(listing: Listing) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(listing),
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filters(listing: Listing) -> list[dict[str, Any]]:
    tick, step = f"{listing.tick:.8f}", f"{listing.step:.8f}"
    largest = f"{round(listing.volume * 100):.8f}"
    highest = f"{round(listing.price * 100, 2) + 1:.8f}"
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": highest, "tickSize": tick},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "5", "multiplierDown": "0.2", "avgPriceMins": 5},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": largest, "stepSize": step},
        {
            "filterType": "MIN_NOTIONAL",
            "minNotional": f"{listing.minimum_cost:.8f}",
            "applyToMarket": True,
            "avgPriceMins": 5,
        },
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": _decimal(0, 1),
            "maxQty": largest,
            "stepSize": _decimal(0, 1),
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]


def eight_places(number: Decimal) -> str:
    """Write a number as Binance writes all of them."""
    return f"{number:.8f}"


def _decimal(count: int, unit: int) -> str:
    """Write `count` units of `unit` * 1e-8 each with eight places."""
    whole, fraction = divmod(abs(count * unit), UNITS)
    return f"{'-' if count < 0 else ''}{whole}.{fraction:08d}"


def mandatory(query: Query, name: str) -> str:
    """Return a parameter, or raise the refusal of a request without it."""
    value = query.get(name, "")
    if not value:
        raise refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def symbol_of(query: Query) -> str:
    """Return the parameter `symbol` when it is listed."""
    symbol = mandatory(query, "symbol")
    if symbol not in LISTINGS:
        raise refusal(-1121, "Invalid symbol.")
    return symbol


def _symbols(query: Query) -> list[str]:
    """Return the symbols asked for with `symbol` or the JSON list `symbols`, or all of them."""
    if "symbol" in query:
        return [symbol_of(query)]
    if "symbols" not in query:
        return list(LISTINGS)
    try:
        symbols = json.loads(query["symbols"])
    except ValueError:
        symbols = None
    if not isinstance(symbols, list) or not symbols:
        raise refusal(-1100, "Illegal characters found in parameter 'symbols'; legal is a JSON list.")
    return [symbol_of({"symbol": str(symbol)}) for symbol in symbols]


def _interval(query: Query) -> int:
    minutes = INTERVALS.get(mandatory(query, "interval"))
    if minutes is None:
        raise refusal(-1120, "Invalid interval.")
    return minutes


def integer(query: Query, name: str) -> int | None:
    """Return a whole number, or None where there is none."""
    if name not in query:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", query[name]):
        raise refusal(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
    return int(query[name])


def limit_of(query: Query, default: int, most: int) -> int:
    """Return how many rows are asked for."""
    limit = integer(query, "limit")
    if limit is None:
        return default
    if limit == 0:
        raise refusal(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, most)
