"""Binance's spot REST protocol as far as ccxt calls it: who may ask, how often, and how it says no.

Replies carry the exchange's own keys and JSON types; refusals its codes.
https://developers.binance.com/docs/binance-spot-api-docs/rest-api
"""

from collections.abc import Mapping
from math import ceil

from exchanges.simulator import signatures
from exchanges.simulator.binance_data import MarketData, Query, integer, mandatory, refusal
from exchanges.simulator.binance_orders import AccountData, refusal_for
from exchanges.simulator.http import Refusal, Reply, Request
from exchanges.simulator.limits import Bans, Window
from exchanges.simulator.venue import Account, Refused, Venue

WEIGHT_PER_MINUTE = 6000
ORDERS_PER_10_SECONDS = 100
PATIENCE, BAN_SECONDS = 10, 120.0  # after so many refused calls comes the first ban
RECEIVE_WINDOW_DEFAULT, RECEIVE_WINDOW_MOST = 5000, 60_000  # ms
AHEAD_MOST = 1000  # ms that a request's clock may be before ours

WEIGHTS = {
    "GET /api/v3/exchangeInfo": 20,
    "GET /api/v3/klines": 2,
    "GET /api/v3/ticker/24hr": 2,
    "GET /api/v3/ticker/bookTicker": 2,
    "GET /api/v3/ticker/price": 2,
    "GET /api/v3/account": 20,
    "GET /api/v3/order": 4,
    "GET /api/v3/openOrders": 6,
    "GET /api/v3/allOrders": 20,
    "GET /api/v3/myTrades": 20,
}  # of one symbol; what is not here weighs 1
WEIGHT_OF_ALL_SYMBOLS = {"GET /api/v3/ticker/24hr": 80, "GET /api/v3/openOrders": 80}
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))  # by the number of levels


class Binance:
    """Answers one environment; the testnet has no /sapi."""

    def __init__(self, venue: Venue, *, is_testnet: bool = False, has_limits: bool = True) -> None:
        self.venue = venue
        self._data = MarketData(venue)
        self._account_data = AccountData(venue)
        self._is_testnet = is_testnet
        self._has_limits = has_limits
        self._weights = Window(WEIGHT_PER_MINUTE, 60)
        self._orders = Window(ORDERS_PER_10_SECONDS, 10)
        self._bans = Bans(PATIENCE, BAN_SECONDS)

    def answer(self, request: Request) -> Reply:
        """Return the reply, a refusal included."""
        operation = f"{request.method} {request.path}"
        try:
            used = self._count(operation, request.parameters)
            body = self._answer(operation, request)
        except Refusal as refused:
            return refused.reply
        return Reply(body, headers={"x-mbx-used-weight-1m": str(int(used))})

    def _answer(self, operation: str, request: Request) -> object:
        parameters = request.parameters
        public = self._data.endpoints.get(operation)
        if public is not None:
            return public(parameters)
        reading, trading = (
            self._account_data.reading.get(operation),
            self._account_data.trading.get(operation),
        )
        endpoint = reading or trading
        if endpoint is None or (self._is_testnet and request.path.startswith("/sapi/")):
            raise refusal(-1020, f"This operation is not supported: {operation}", status=404)
        account = self._account(request, parameters, "read" if reading else "trade")
        if operation == "POST /api/v3/order":
            self._count_order(account)
        with self.venue.lock:
            self.venue.refresh()
            try:
                return endpoint(account, parameters)
            except Refused as refused:
                raise refusal_for(refused) from refused

    def _count(self, operation: str, query: Query) -> float:
        """Book the weight, or refuse: 429 above the limit, 418 for who goes on."""
        used = self._weights.add("address", _weight(operation, query))
        if not self._has_limits:
            return used
        banned = self._bans.seconds_left()
        if banned:
            raise _too_many(418, "Way too much request weight used; IP banned.", banned)
        if used > WEIGHT_PER_MINUTE:
            self._bans.refuse()
            raise _too_many(
                429,
                "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
                self._weights.seconds_left(),
            )
        return used

    def _count_order(self, account: Account) -> None:
        if self._has_limits and self._orders.add(account.key, 1) > ORDERS_PER_10_SECONDS:
            raise refusal(
                -1015, "Too many new orders; current limit is 100 orders per 10 SECOND.", status=429
            )

    def _account(self, request: Request, query: Query, right: str) -> Account:
        """Return whose key and signature these are, or refuse."""
        account = self.venue.accounts.get(request.headers.get("x-mbx-apikey", ""))
        if account is None:
            raise refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        self._check_time(query)
        mandatory(query, "signature")
        payload, _, signature = (request.query + request.body.decode("utf-8", "replace")).rpartition(
            "signature="
        )
        if not signatures.is_binance(account.secret, payload.removesuffix("&"), signature):
            raise refusal(-1022, "Signature for this request is not valid.")
        if right not in account.rights:
            raise refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return account

    def _check_time(self, query: Query) -> None:
        mandatory(query, "timestamp")
        stamp = integer(query, "timestamp") or 0
        window = integer(query, "recvWindow") or RECEIVE_WINDOW_DEFAULT
        now = self.venue.clock.milliseconds()
        if window > RECEIVE_WINDOW_MOST:
            raise refusal(-1131, "recvWindow must be less than 60000.")
        if stamp >= now + AHEAD_MOST:
            raise refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - stamp > window:
            raise refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def _weight(operation: str, query: Mapping[str, str]) -> int:
    if operation == "GET /api/v3/depth":
        levels = query.get("limit", "100")
        count = int(levels) if levels.isdecimal() else 100
        return next((weight for most, weight in DEPTH_WEIGHTS if count <= most), DEPTH_WEIGHTS[-1][1])
    if "symbol" not in query and operation in WEIGHT_OF_ALL_SYMBOLS:
        return WEIGHT_OF_ALL_SYMBOLS[operation]
    return WEIGHTS.get(operation, 1)


def _too_many(status: int, message: str, seconds: float) -> Refusal:
    return Refusal({"code": -1003, "msg": message}, status, {"Retry-After": str(ceil(seconds))})
