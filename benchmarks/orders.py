"""Orders a second through the whole path at a simulated exchange, beside bare ccxt calls in the same run.

The whole path is the row, the claim, the opened vault, a client of its own, the send, the look at what was
filled, and the booking. Bare ccxt sends the same requests with one client that is kept.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import requests
from django.conf import settings

from accounts.people import create_person
from bot_sdk.risk import Signal
from bots.models import Bot, BotVersion, Category
from exchanges import vault
from exchanges.ccxt_client import PROFILES
from exchanges.credentials import Credentials
from exchanges.gateway import Ticker
from exchanges.gateways import account_client, exchange_gateway, public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import ExchangeAccount, Market
from exchanges.simulator.server import serve
from execution.models import Order
from execution.orders import Intent, place_order, position_of
from subscriptions.models import Subscription

PAIR, AMOUNT = "BTC/USDT", Decimal("0.0002")
ORDERS = 60
ROUNDS = 3


def report() -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    settings.EGRESS_ADDRESS = "benchmark"
    # what is measured is the work, not the pace that the exchange asks for
    unhurried = replace(PROFILES["BINANCE"], burst=1e6, key_burst=1e6)
    PROFILES["BINANCE"], profile = unhurried, PROFILES["BINANCE"]
    with serve(port=0, seed=1, has_limits=False) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        public_gateway.cache_clear()
        refresh_markets("BINANCE")
        subscription = _subscription(url)
        bare = min(_seconds(lambda: _bare(subscription)) for _ in range(ROUNDS))
        whole = min(_seconds(lambda: _whole(subscription)) for _ in range(ROUNDS))
        filled = Order.objects.filter(subscription=subscription, state=Order.State.FILLED).count()
    PROFILES["BINANCE"] = profile
    assert filled == ORDERS * ROUNDS, f"{filled} orders were filled"
    print(f"market orders at a simulated Binance, one after the other, best of {ROUNDS} x {ORDERS}")
    print(f"bare ccxt calls   {ORDERS / bare:6.0f} orders a second")
    print(f"the whole path    {ORDERS / whole:6.0f} orders a second, {bare / whole:.2f} of that\n")


def _seconds(deed: Callable[[], None]) -> float:
    start = time.perf_counter()
    deed()
    return time.perf_counter() - start


def _bare(subscription: Subscription) -> None:
    assert subscription.account is not None
    with vault.opened(subscription.account) as credentials:
        client = account_client("BINANCE", "LIVE", credentials).client
    public_gateway("BINANCE").lend_markets(client)
    for number in range(ORDERS):
        side = "buy" if number % 2 == 0 else "sell"
        sent = {"clientOrderId": str(uuid.uuid4())}
        order = client.create_order(PAIR, "market", side, f"{AMOUNT:f}", None, sent)
        client.fetch_order(order["id"], PAIR)
        client.fetch_my_trades(PAIR, None, 100, {"orderId": order["id"]})


def _whole(subscription: Subscription) -> None:
    account = subscription.account
    assert account is not None
    ticker = public_gateway("BINANCE").fetch_ticker(PAIR)
    for number in range(ORDERS):
        moment_at = datetime.now(UTC)
        holding = position_of(subscription).holding
        buys = number % 2 == 0
        intent = Intent(
            subscription=subscription,
            signal=Signal("BUY" if buys else "SELL", AMOUNT if buys else _held(subscription), "", "bot"),
            moment_at=moment_at,
            sized_for=holding,
            fresh_until=moment_at + timedelta(seconds=30),
        )
        with exchange_gateway(account, subscription.market, _now(ticker)) as gateway:
            order = place_order(intent, gateway)
        assert order.state == Order.State.FILLED, order.message


def _held(subscription: Subscription) -> Decimal:
    return subscription.market.rules.round_down(position_of(subscription).base_amount)


def _now(ticker: Ticker) -> Ticker:
    return Ticker(ticker.last, ticker.bid, ticker.ask, datetime.now(UTC))


def _subscription(url: str) -> Subscription:
    person = create_person(username="bench-orders", email="bench-orders@example.com", password="x" * 20)
    made = requests.post(
        f"{url}/__sim__/binance/account", json={"balances": {"USDT": "100000", "BTC": "1"}}, timeout=10
    ).json()
    account = ExchangeAccount.objects.create(
        owner=person, exchange="BINANCE", environment="LIVE", label="Benchmark"
    )
    vault.seal(account, Credentials(made["key"], made["secret"]))
    account.state = ExchangeAccount.State.ACTIVE
    account.save()
    category, _ = Category.objects.get_or_create(name="Benchmark", slug="benchmark")
    bot = Bot.objects.create(
        name="Orders",
        slug="orders",
        tagline="-",
        description="-",
        category=category,
        developer=person,
        state=Bot.State.LISTED,
    )
    version = BotVersion.objects.create(bot=bot, number="v1.0.0", state=BotVersion.State.PUBLISHED)
    return Subscription.objects.create(
        trader=person,
        bot=bot,
        version=version,
        account=account,
        market=Market.objects.get(exchange="BINANCE", trading_pair=PAIR),
        timeframe="1m",
        allocated_capital=Decimal(50_000),
        execution_config={"buy_order_type": "ALL", "sell_order_type": "ALL"},
    )
