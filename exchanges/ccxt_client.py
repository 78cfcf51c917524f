"""ccxt's sync clients, made so that they reach their own exchange and keep to the shared rate budget.

ccxt's own request code runs unchanged. What we control sits below it, in the adapter of its HTTP session: a
client reaches its own exchange's hosts over https and nothing else, or, in their place, the simulator.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import ccxt
import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from exchanges import request_log
from exchanges.ccxt_errors import DEFAULT_PAUSE_SECONDS, TEXT_LIMIT
from exchanges.errors import UnknownExchange
from exchanges.rate_budget import RateBudget

TIMEOUT_MS = 10_000  # to connect, and again between two pieces of an answer
CONNECT_SECONDS = 2.0  # then nothing has left
ORDERS_OF_ACCOUNT = "-1015"  # Binance's 429 about one account's orders
KRAKEN_STOPS = ("EGeneral:Temporary lockout", "EService:Throttled")  # said with a status of 200
TOLD_TO_STOP = (418, 429)  # HTTP statuses: a ban, and too many requests


@dataclass(frozen=True)
class Profile:
    """What we have to know about an exchange beside what ccxt knows."""

    ccxt_id: str
    hosts: frozenset[str]
    candles_per_call: int
    burst: float  # of calls of ccxt's cost 1 that may go at once; one more every `rateLimit` ms of its client
    key_interval_seconds: float  # between two calls with one key, once `key_burst` of them are used up
    key_burst: float
    key_unit: float | None = (
        None  # ccxt's cost of a call that counts once for its key, and not for the address
    )
    tells_all_prices: bool = False  # best bid and ask of all markets in one call that costs one
    client_options: Mapping[str, Any] = field(default_factory=dict)


PROFILES = {
    "BINANCE": Profile(
        "binance",
        frozenset({"api.binance.com"}),
        candles_per_call=1000,
        burst=20,
        key_interval_seconds=0.125,  # with the burst at most 100 orders in 10 s
        key_burst=20,
        # without these ccxt also asks the futures hosts for their markets
        client_options={
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}
        },
    ),
    "COINBASE": Profile(
        "coinbase",
        frozenset({"api.coinbase.com"}),
        candles_per_call=300,
        burst=10,
        key_interval_seconds=0.36,  # 10,000 an hour
        key_burst=30,
        key_unit=1,
        client_options={"has": {"fetchCurrencies": False}},  # three calls that the markets do not need
    ),
    "KRAKEN": Profile(
        "kraken",
        frozenset({"api.kraken.com"}),
        candles_per_call=720,
        burst=2,
        key_interval_seconds=3,
        key_burst=10,
        key_unit=3,
        tells_all_prices=True,
    ),
}


class HostGuard(HTTPAdapter):
    """Let requests reach `hosts` over https only, or send them to the simulator that stands in for them.

    Rerouting here, below ccxt, keeps its choice of URLs and its error tables, which depend on the URL.
    """

    def __init__(
        self, hosts: frozenset[str], simulator_url: str | None, budget: RateBudget | None = None
    ) -> None:
        super().__init__()
        self._hosts = hosts
        self._simulator_url = simulator_url
        self._budget = budget
        self.has_sent = False  # since somebody set it to False: whether a request has left
        self.send_by: datetime | None = None  # later than that nothing leaves

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {scheme: self._timely(pools[scheme]) for scheme in pools}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raise requests' ConnectionError for any other host and for a success whose body is not JSON."""
        url = urlsplit(request.url or "")
        if url.scheme != "https" or url.hostname not in self._hosts or url.port not in (None, 443):
            raise requests.ConnectionError(
                f"refused to contact {url.scheme}://{url.hostname};"
                f" allowed: https to {', '.join(sorted(self._hosts))}"
            )
        self._require_in_time()
        if self._simulator_url is not None:
            request = request.copy()
            request.headers["Host"] = url.netloc
            query = f"?{url.query}" if url.query else ""
            request.url = f"{self._simulator_url.rstrip('/')}{url.path}{query}"
        if self._budget is not None:
            request_log.count(self._budget.server, self._budget.exchange, request.method or "", url.path)
        self.has_sent = True
        kwargs["timeout"] = (CONNECT_SECONDS, TIMEOUT_MS / 1000)
        response = super().send(request, *args, **kwargs)
        if response.is_redirect or response.is_permanent_redirect:
            # followed, it would send an order a second time
            raise requests.ConnectionError(
                f"refused to follow a redirect to {response.headers['Location']!r}"
            )
        if response.ok:
            _require_json(response)
        if self._budget is not None and _tells_all_to_stop(response):
            self._budget.halt(_retry_after_seconds(response))
        return response

    def _require_in_time(self) -> None:
        if self.send_by is not None and datetime.now(UTC) >= self.send_by:
            raise requests.ConnectionError("it is too late to send this")

    def _timely(self, pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
        """Return the pool with connections that look at the clock once more before anything leaves by them.

        Names, addresses tried one after the other and TLS may each have taken their time.
        """
        guard = self

        class TimelyConnection(pool.ConnectionCls):  # type: ignore[name-defined, misc]
            def connect(self) -> None:
                super().connect()
                try:
                    guard._require_in_time()
                except requests.ConnectionError:
                    self.close()
                    raise

        return type(pool.__name__, (pool,), {"ConnectionCls": TimelyConnection})


def profile_of(exchange: str) -> Profile:
    """Return the exchange's profile. Raises UnknownExchange for what we do not trade on."""
    profile = PROFILES.get(exchange)
    if profile is None:
        raise UnknownExchange(f"Expected one of {', '.join(PROFILES)}, got {exchange!r}.")
    return profile


def make_client(
    profile: Profile,
    hosts: frozenset[str],
    simulator_url: str | None,
    budget: RateBudget | None,
    config: Mapping[str, Any] | None = None,
) -> ccxt.Exchange:
    """Return a client that reaches `hosts` only, or the simulator in their place; nothing is sent yet.

    Its guard is `guard_of(client)`. `budget` is what it shares with all other processes; without one it keeps
    to the pace by itself.
    """
    # "number" keeps every figure as the exchange wrote it; an order is never sent again by ccxt.
    settings = {"timeout": TIMEOUT_MS, "enableRateLimit": True, "number": str}
    client = getattr(ccxt, profile.ccxt_id)({**settings, **profile.client_options, **(config or {})})
    if budget is not None:
        bucket = budget.bucket_of_address(client.rateLimit / 1000, profile.burst)
        client.throttle = lambda cost=None: budget.take([bucket], 1.0 if cost is None else cost)
    guard = HostGuard(hosts, simulator_url, budget)
    for scheme in ("https://", "http://"):
        client.session.mount(scheme, guard)
    return client


def guard_of(client: ccxt.Exchange) -> HostGuard:
    """Return the guard of a client that `make_client` made."""
    guard = client.session.get_adapter("https://")
    assert isinstance(guard, HostGuard)
    return guard


def _require_json(response: requests.Response) -> None:
    try:
        response.json()
    except ValueError as error:
        beginning = response.text[:TEXT_LIMIT]
        raise requests.ConnectionError(f"expected JSON, got {beginning!r}") from error


def _tells_all_to_stop(response: requests.Response) -> bool:
    """Whether it is about this address, and not about one account's orders or one key's calls."""
    if response.status_code in TOLD_TO_STOP:
        return ORDERS_OF_ACCOUNT not in response.text
    return response.ok and any(words in response.text for words in KRAKEN_STOPS)


def _retry_after_seconds(response: requests.Response) -> float:
    """Return what the header says, in seconds or as a date."""
    said = response.headers.get("Retry-After", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return DEFAULT_PAUSE_SECONDS
    return seconds if math.isfinite(seconds) else DEFAULT_PAUSE_SECONDS
