"""The simulator's replies against recorded ones of the real exchanges: every key, with the same JSON type."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.exchanges.replay import differences, recorded
from tests.exchanges.simulated import PAIR, Simulator, Trader, simulating

BINANCE = "nautilus/binance__spot__http_json__"
COINBASE = "nautilus/coinbase__http_"
KRAKEN = "nautilus/kraken__http_"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with simulating(has_limits=False) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def clients(simulator: Simulator) -> dict[str, Any]:
    """One client per exchange, whose account has an order that filled, one that rests and one that ended."""
    traders = {name: simulator.trader(name) for name in ("BINANCE", "COINBASE", "KRAKEN")}
    return {name: busy_client(trader) for name, trader in traders.items()}


def busy_client(trader: Trader) -> Any:
    client = trader.account().client
    client.markets = None
    client.enableRateLimit = False
    client.throttle = lambda _cost=None: None
    client.load_markets()
    name = "client_order_id" if trader.exchange == "COINBASE" else "clientOrderId"
    for price in ("10000", "20000"):
        client.create_order(PAIR, "limit", "buy", "0.01", price, {name: str(uuid.uuid4())})
    client.cancel_order(client.fetch_open_orders(PAIR)[0]["id"], PAIR)
    client.create_order(PAIR, "market", "sell", "0.01", None, {name: str(uuid.uuid4())})
    return client


ASKED: dict[str, tuple[str, str, dict[str, object]]] = {
    f"{BINANCE}account_response.json": ("BINANCE", "privateGetAccount", {}),
    f"{BINANCE}account_trades_response.json": ("BINANCE", "privateGetMyTrades", {"symbol": "BTCUSDT"}),
    f"{BINANCE}all_orders_response.json": ("BINANCE", "privateGetAllOrders", {"symbol": "BTCUSDT"}),
    f"{BINANCE}open_orders_response.json": ("BINANCE", "privateGetOpenOrders", {"symbol": "BTCUSDT"}),
    f"{BINANCE}new_order_full_response.json": (
        "BINANCE",
        "privatePostOrder",
        {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.001"},
    ),
    f"{COINBASE}accounts.json": ("COINBASE", "v3PrivateGetBrokerageAccounts", {}),
    f"{COINBASE}fills.json": ("COINBASE", "v3PrivateGetBrokerageOrdersHistoricalFills", {}),
    f"{COINBASE}orders_list.json": ("COINBASE", "v3PrivateGetBrokerageOrdersHistoricalBatch", {}),
    f"{COINBASE}products.json": ("COINBASE", "v3PublicGetBrokerageMarketProducts", {}),
    f"{COINBASE}product.json": (
        "COINBASE",
        "v3PublicGetBrokerageMarketProductsProductId",
        {"product_id": "BTC-USDT"},
    ),
    f"{COINBASE}product_book.json": (
        "COINBASE",
        "v3PublicGetBrokerageMarketProductBook",
        {"product_id": "BTC-USDT"},
    ),
    f"{COINBASE}ticker.json": (
        "COINBASE",
        "v3PublicGetBrokerageMarketProductsProductIdTicker",
        {"product_id": "BTC-USDT", "limit": 2},
    ),
    f"{KRAKEN}server_time.json": ("KRAKEN", "publicGetTime", {}),
    f"{KRAKEN}system_status.json": ("KRAKEN", "publicGetSystemStatus", {}),
    f"{KRAKEN}asset_pairs.json": ("KRAKEN", "publicGetAssetPairs", {"pair": "XBTUSDT"}),
    f"{KRAKEN}ticker.json": ("KRAKEN", "publicGetTicker", {"pair": "XBTUSDT"}),
    f"{KRAKEN}ohlc.json": ("KRAKEN", "publicGetOHLC", {"pair": "XBTUSDT"}),
    f"{KRAKEN}order_book.json": ("KRAKEN", "publicGetDepth", {"pair": "XBTUSDT"}),
    f"{KRAKEN}add_order_spot.json": (
        "KRAKEN",
        "privatePostAddOrder",
        {"pair": "XBTUSDT", "type": "sell", "ordertype": "market", "volume": "0.001"},
    ),
}


@pytest.mark.parametrize("recording", ASKED)
def test_a_reply_has_the_keys_and_types_of_the_recorded_one(clients: dict[str, Any], recording: str) -> None:
    theirs = recorded(recording)
    for order in theirs.get("orders", []) if isinstance(theirs, dict) else []:
        del order["order_configuration"]  # one of several kinds; its own test is below
    exchange, method, parameters = ASKED[recording]

    ours = getattr(clients[exchange], method)(parameters)

    assert differences(theirs, ours) == []


def test_a_canceled_order_of_binance_looks_as_recorded(clients: dict[str, Any]) -> None:
    client = clients["BINANCE"]
    theirs = recorded(f"{BINANCE}cancel_order_response.json")
    order = client.create_order(PAIR, "limit", "buy", "0.01", "15000")

    ours = client.privateDeleteOrder({"symbol": "BTCUSDT", "orderId": order["id"]})

    assert differences(theirs, ours) == []


def test_an_order_of_coinbase_looks_as_recorded(clients: dict[str, Any]) -> None:
    client = clients["COINBASE"]
    theirs = recorded(f"{COINBASE}order.json")
    configuration = theirs["order"].pop("order_configuration")

    ours = client.v3PrivateGetBrokerageOrdersHistoricalOrderId(
        {"order_id": client.fetch_open_orders(PAIR)[0]["id"]}
    )

    assert differences(theirs, ours) == []
    assert differences(configuration, ours["order"]["order_configuration"]) == []


def test_candles_of_coinbase_look_as_recorded(clients: dict[str, Any]) -> None:
    client = clients["COINBASE"]
    client.fetch_ohlcv(PAIR, "1m", limit=3)
    ours = json.loads(client.last_http_response)

    assert differences(recorded(f"{COINBASE}candles.json"), ours) == []


@pytest.mark.parametrize(
    ("recording", "method", "key"),
    [
        ("open_orders.json", "privatePostOpenOrders", "open"),
        ("closed_orders.json", "privatePostClosedOrders", "closed"),
        ("trades_history.json", "privatePostTradesHistory", "trades"),
    ],
)
def test_what_kraken_lists_by_id_looks_as_recorded(
    clients: dict[str, Any], recording: str, method: str, key: str
) -> None:
    theirs = recorded(KRAKEN + recording)["result"][key]

    ours = getattr(clients["KRAKEN"], method)()["result"][key]

    assert ours
    for each in ours.values():
        for one in theirs.values():
            assert differences(one, each) == []


def test_the_control_arm_a_missing_key_or_another_type_is_found() -> None:
    assert differences({"a": 1, "b": "2"}, {"a": "1"}) == ["reply.b is missing", "reply.a: int became str"]
