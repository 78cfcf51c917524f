"""The simulated exchanges over HTTP, and accounts on them that trade through real ccxt."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

from bot_sdk.market_rules import MarketRules
from exchanges.ccxt_account import CcxtAccount
from exchanges.ccxt_gateway import CcxtGateway
from exchanges.ccxt_trading import CcxtTrading
from exchanges.credentials import Credentials
from exchanges.gateways import shared_redis
from exchanges.rate_budget import RateBudget
from exchanges.simulator.server import serve

PAIR = "BTC/USDT"
NAMES = {
    ("BINANCE", "LIVE"): "binance",
    ("BINANCE", "TESTNET"): "binance-testnet",
    ("COINBASE", "LIVE"): "coinbase",
    ("KRAKEN", "LIVE"): "kraken",
}


class Simulator:
    """A running simulator with what one test wants of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._public: dict[str, CcxtGateway] = {}
        self._rules: dict[str, MarketRules] = {}

    def control(self, exchange: str, what: str, **body: object) -> Any:
        """Ask the control API."""
        reply = requests.post(f"{self.url}/__sim__/{exchange}/{what}", json=body, timeout=10)
        assert reply.ok, reply.text
        return reply.json()

    def public(self, exchange: str) -> CcxtGateway:
        """Return the one gateway to the exchange's market data. It keeps to no pace."""
        if exchange not in self._public:
            self._public[exchange] = CcxtGateway(exchange, self.url)
            self._public[exchange]._client.enableRateLimit = False
        return self._public[exchange]

    def rules(self, exchange: str) -> MarketRules:
        """Return the rules of the one market that the tests trade."""
        if exchange not in self._rules:
            markets = self.public(exchange).fetch_markets()
            [self._rules[exchange]] = [info.rules for info in markets if info.trading_pair == PAIR]
        return self._rules[exchange]

    @staticmethod
    def wait_for(is_so: Callable[[], bool], seconds: float = 10) -> None:
        """Return when it is so; fail when it does not come to be."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, "it did not come to be"
            time.sleep(0.05)

    def trader(self, exchange: str, environment: str = "LIVE", **account: object) -> "Trader":
        """Open an account, by default with 10,000 USDT and 1 BTC."""
        name = NAMES[exchange, environment]
        made = self.control(name, "account", **({"balances": {"USDT": "10000", "BTC": "1"}} | account))
        return Trader(self, exchange, environment, name, Credentials(made["key"], made["secret"]))


@dataclass
class Trader:
    """One account on one simulated exchange."""

    simulator: Simulator
    exchange: str
    environment: str
    name: str
    credentials: Credentials

    def control(self, what: str, **body: object) -> Any:
        return self.simulator.control(self.name, what, **body)

    def account(self) -> CcxtAccount:
        """Return a new client, as each task makes one."""
        budget = RateBudget(shared_redis(), self.exchange, self.simulator.url)
        markets_of = self.simulator.public(self.exchange) if self.environment == "LIVE" else None
        return CcxtAccount(
            self.exchange,
            self.environment,
            self.credentials,
            self.simulator.url,
            budget,
            markets_of=markets_of,
        )

    def trading(self) -> CcxtTrading:
        ticker = self.simulator.public(self.exchange).fetch_ticker(PAIR)
        return CcxtTrading(self.account(), PAIR, self.simulator.rules(self.exchange), ticker)

    def orders(self) -> list[dict[str, Any]]:
        """Return the account's orders as the exchange has them."""
        rows: list[dict[str, Any]] = self.control("orders", key=self.credentials.api_key)["orders"]
        return rows

    def totals(self) -> dict[str, Decimal]:
        """Return the account's balances as the exchange has them."""
        balances = self.control("account", key=self.credentials.api_key)["balances"]
        return {asset: Decimal(total) for asset, total in balances.items()}


@contextmanager
def simulating(**options: Any) -> Iterator[Simulator]:
    with serve(seed=7, **options) as url:
        yield Simulator(url)
