"""Processes that ask an exchange as fast as they may.

Each line of the input is a JSON object: `url` of the simulator, `exchange`, `key`, `secret`, `is_shared`,
`processes` and `often`, how often each of them asks. It is answered by a line that says how often they were
told what. They are forked from this one: to load ccxt in each would take longer than all that they ask.
"""

import json
import multiprocessing
import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
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
PATIENCE_SECONDS = 240
ENOUGH = 5  # times that they were told off together: nothing new would come of going on
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


def told(job: Mapping[str, Any]) -> Counter[str]:
    """Return what one of the processes was told; all of them begin at once."""
    url, exchange = job["url"], job["exchange"]
    client = client_of(url, exchange, job["key"], job["secret"], is_shared=job["is_shared"])
    counts: Counter[str] = Counter()
    all_ready.wait(PATIENCE_SECONDS)
    for number in range(job["often"]):
        said = outcome(exchange, client, number)
        counts[said] += 1
        with times_told_off:
            times_told_off.value += said != "fine"
            if times_told_off.value >= ENOUGH:
                break
    return counts


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    for line in sys.stdin:
        job = json.loads(line)
        all_ready, times_told_off = context.Barrier(job["processes"]), context.Value("i", 0)
        with ProcessPoolExecutor(job["processes"], context) as processes:
            answers = processes.map(told, [job] * job["processes"], timeout=PATIENCE_SECONDS)
            print(json.dumps(sum(answers, Counter[str]())), flush=True)
