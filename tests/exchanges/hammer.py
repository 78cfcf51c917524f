"""One of many processes that ask an exchange as fast as they may; prints what it was told, as JSON.

It says "ready" and waits for a line, so that all begin at once.
Arguments: the simulator's URL, the exchange, a key, its secret, "shared" or "alone", and how often to ask.
"""

import json
import sys
import uuid
from collections import Counter
from typing import Any

import ccxt
import django

django.setup()

from exchanges.ccxt_account import CcxtAccount  # noqa: E402  what stands above it made the models ready
from exchanges.ccxt_client import PROFILES, make_client  # noqa: E402
from exchanges.credentials import Credentials  # noqa: E402
from exchanges.errors import RateLimited  # noqa: E402
from exchanges.gateways import shared_redis  # noqa: E402
from exchanges.rate_budget import RateBudget  # noqa: E402

TOLD_OFF = (ccxt.DDoSProtection, ccxt.RateLimitExceeded, ccxt.InvalidNonce)
PRIVATE_CALL_EVERY = 5  # at Kraken; the others are orders, which only need a nonce


def client_of(url: str, exchange: str, key: str, secret: str, *, is_shared: bool) -> Any:
    profile = PROFILES[exchange]
    if not is_shared:
        return make_client(profile, profile.hosts, url, None, {"apiKey": key, "secret": secret})
    budget = RateBudget(shared_redis(), exchange, url)
    if exchange == "COINBASE":
        return make_client(profile, profile.hosts, url, budget)
    return CcxtAccount(exchange, "LIVE", Credentials(key, secret), url, budget).client


def ask(exchange: str, client: Any, number: int) -> None:
    """Ask what the exchange counts: orders (Binance), public calls (Coinbase), nonces and calls (Kraken)."""
    order = {"side": "SELL", "type": "LIMIT", "quantity": "0.001", "price": "90000", "timeInForce": "GTC"}
    if exchange == "BINANCE":
        client.privatePostOrder({"symbol": "BTCUSDT", "newClientOrderId": str(uuid.uuid4()), **order})
    elif exchange == "COINBASE":
        client.v3PublicGetBrokerageMarketProductsProductId({"product_id": "BTC-USDT"})
    elif number % PRIVATE_CALL_EVERY:
        order = {"type": "sell", "ordertype": "limit", "volume": "0.001", "price": "90000"}
        client.privatePostAddOrder({"pair": "XBTUSDT", **order})
    else:
        client.privatePostOpenOrders()


def outcome(exchange: str, client: Any, number: int) -> str:
    while True:
        try:
            ask(exchange, client, number)
        except RateLimited:  # by our own budget: nothing was asked
            continue
        except TOLD_OFF as error:
            return type(error).__name__
        return "fine"


if __name__ == "__main__":
    url, exchange, key, secret, how, often = sys.argv[1:]
    client = client_of(url, exchange, key, secret, is_shared=how == "shared")
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(Counter(outcome(exchange, client, number) for number in range(int(often)))))
