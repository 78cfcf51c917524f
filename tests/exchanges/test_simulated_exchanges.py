"""What the simulated exchanges refuse, count and break, and that their books always balance."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import ccxt
import numpy as np
import pandas as pd
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchanges.ccxt_client import PROFILES, HostGuard
from exchanges.credentials import Credentials
from exchanges.simulator.binance import BAN_SECONDS, PATIENCE
from exchanges.simulator.clock import SimulatedClock
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.market import Market
from exchanges.simulator.tape import CandleTape
from exchanges.simulator.venue import Account, Force, Refused, Side, State, Ticket, Venue
from exchanges.simulator.world import BINANCE_TERMS, COINBASE_TERMS, KRAKEN_TERMS
from tests.exchanges.simulated import PAIR, Simulator, Trader, simulating

EXCHANGES = ("BINANCE", "COINBASE", "KRAKEN")
NOON = datetime(2026, 3, 2, 12, 0, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with simulating(has_limits=False) as simulator:
        yield simulator


def plain_client(simulator: Simulator, exchange: str, credentials: Credentials) -> Any:
    """ccxt as anybody would use it, sent to the simulator."""
    client = getattr(ccxt, PROFILES[exchange].ccxt_id)(
        {
            "apiKey": credentials.api_key,
            "secret": credentials.secret,
            "enableRateLimit": False,
            **PROFILES[exchange].client_options,
        }
    )
    client.session.mount("https://", HostGuard(PROFILES[exchange].hosts, simulator.url))
    return client


def balance_call(trader: Trader, credentials: Credentials) -> Any:
    client = plain_client(trader.simulator, trader.exchange, credentials)
    calls = {
        "BINANCE": "privateGetAccount",
        "COINBASE": "v3PrivateGetBrokerageAccounts",
        "KRAKEN": "privatePostBalance",
    }
    return getattr(client, calls[trader.exchange])()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_call_is_answered_to_the_holder_of_the_secret_alone(simulator: Simulator, exchange: str) -> None:
    trader, other = simulator.trader(exchange), simulator.trader(exchange)
    forged = Credentials(trader.credentials.api_key, other.credentials.secret)
    unknown = Credentials(trader.credentials.api_key[::-1], trader.credentials.secret)

    assert balance_call(trader, trader.credentials)
    for wrong in (forged, unknown):
        with pytest.raises((ccxt.AuthenticationError, ccxt.ExchangeError)):
            balance_call(trader, wrong)


def test_coinbase_takes_both_kinds_of_keys(simulator: Simulator) -> None:
    trader = simulator.trader("COINBASE", kind="ed25519")

    assert len(trader.credentials.secret) == 88
    assert trader.account().fetch_balances()["USDT"].free == 10_000


def test_coinbase_takes_a_token_for_the_request_that_it_names_and_only_while_it_is_valid() -> None:
    with simulating(has_limits=False) as simulator:
        trader = simulator.trader("COINBASE")
        client = plain_client(simulator, "COINBASE", trader.credentials)
        address = "https://api.coinbase.com/api/v3/brokerage/accounts"
        token = client.create_auth_token(client.seconds(), "GET", address)

        def ask(path: str) -> int:
            headers = {"Host": "api.coinbase.com", "Authorization": f"Bearer {token}"}
            return requests.get(
                f"{simulator.url}/api/v3/brokerage/{path}", headers=headers, timeout=5
            ).status_code

        assert (ask("accounts"), ask("key_permissions")) == (200, 401)
        simulator.control("coinbase", "clock", move_seconds=121)
        assert ask("accounts") == 401


@pytest.mark.parametrize(
    ("ahead", "is_taken"), [(0, True), (900, True), (20_000, False), (-2000, True), (-6000, False)]
)
def test_binance_takes_what_is_stamped_within_its_window(
    simulator: Simulator, ahead: int, is_taken: bool
) -> None:
    trader = simulator.trader("BINANCE")
    client = plain_client(simulator, "BINANCE", trader.credentials)
    client.nonce = lambda: client.milliseconds() + ahead
    client.options["recvWindow"] = 5000

    if is_taken:
        assert client.privateGetAccount()
    else:
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            client.privateGetAccount()


def test_kraken_takes_a_nonce_once_and_none_that_is_smaller(simulator: Simulator) -> None:
    trader = simulator.trader("KRAKEN")
    client = plain_client(simulator, "KRAKEN", trader.credentials)
    numbers = itertools.chain([100, 101, 101, 50], itertools.count(200))
    client.incrementing_nonce = lambda: next(numbers)

    client.privatePostBalance()
    client.privatePostBalance()
    for _ in range(2):
        with pytest.raises(ccxt.InvalidNonce, match="EAPI:Invalid nonce"):
            client.privatePostBalance()
    assert client.privatePostBalance()


def test_the_testnet_has_accounts_of_its_own_and_does_not_tell_a_keys_rights(simulator: Simulator) -> None:
    trader = simulator.trader("BINANCE", "TESTNET")

    assert trader.account().fetch_balances()["BTC"].free == 1
    headers = {"Host": "testnet.binance.vision"}
    path = f"{simulator.url}/sapi/v1/account/apiRestrictions"
    assert requests.get(path, headers=headers, timeout=5).status_code == 404
    with pytest.raises(ccxt.AuthenticationError):
        balance_call(simulator.trader("BINANCE"), trader.credentials)


@pytest.fixture
def standing_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exchanges count as if all requests came at one moment."""
    monkeypatch.setattr("exchanges.simulator.limits.time", SimpleNamespace(monotonic=lambda: 1.0))


def test_binance_says_429_above_its_weight_and_418_to_who_goes_on(standing_still: None) -> None:
    with simulating() as simulator:
        path = f"{simulator.url}/api/v3/depth?symbol=BTCUSDT&limit=5000"
        replies = [requests.get(path, timeout=10) for _ in range(24 + PATIENCE + 2)]

    statuses = [reply.status_code for reply in replies]
    allowed = statuses.index(429)
    assert allowed <= 24
    assert statuses == [200] * allowed + [429] * (PATIENCE + 1) + [418] * (
        len(statuses) - allowed - PATIENCE - 1
    )
    assert replies[0].headers["x-mbx-used-weight-1m"] == "250"
    assert replies[allowed].headers["Retry-After"] == "59"
    assert int(replies[-1].headers["Retry-After"]) == BAN_SECONDS


@pytest.mark.parametrize(("exchange", "free"), [("COINBASE", 10), ("KRAKEN", 10)])
def test_who_asks_too_often_is_told_so(exchange: str, free: int, standing_still: None) -> None:
    with simulating() as simulator:
        client = plain_client(simulator, exchange, Credentials("", ""))
        ask = client.publicGetTime if exchange == "KRAKEN" else client.v2PublicGetTime
        for _ in range(free):
            ask()

        with pytest.raises((ccxt.RateLimitExceeded, ccxt.DDoSProtection)):
            for _ in range(free):
                ask()


@pytest.mark.parametrize("exchange", ["COINBASE", "KRAKEN"])
def test_candles_in_which_nobody_traded_are_missing_and_the_larger_ones_are_made_of_the_others(
    exchange: str,
) -> None:
    with simulating(has_limits=False, clock=lambda: NOON) as simulator:
        gateway = simulator.public(exchange)
        since = NOON.replace(hour=8, minute=0, second=0)
        small = gateway.fetch_candles(PAIR, "1m", since, 240)
        large = gateway.fetch_candles(PAIR, "1h", since, 4)

    assert 180 < len(small) < 240
    for hour in large:
        parts = [
            each for each in small if timedelta() <= each.opened_at - hour.opened_at < timedelta(hours=1)
        ]
        assert (hour.open, hour.close) == (parts[0].open, parts[-1].close)
        assert (hour.high, hour.low) == (max(each.high for each in parts), min(each.low for each in parts))
        assert hour.volume == sum(each.volume for each in parts)


def test_kraken_gives_the_newest_720_candles_and_no_older_ones() -> None:
    with simulating(has_limits=False, clock=lambda: NOON) as simulator:
        rows = simulator.public("KRAKEN").fetch_candles(PAIR, "1m", NOON - timedelta(days=30), 720)

    assert rows[0].opened_at >= NOON - timedelta(minutes=720)


@pytest.mark.parametrize("minutes", [1, 60])
def test_a_tape_of_candles_is_played_back_to_the_last_digit(minutes: int) -> None:
    opened = pd.date_range(
        "2026-03-02", periods=240 // minutes + 3, freq=f"{minutes}min", tz="UTC", name="opened_at"
    )
    prices = 50_000 + np.cumsum(np.tile([10.0, -25.0, 40.0], len(opened)))[: len(opened)]
    candles = pd.DataFrame(
        {"open": prices, "high": prices + 30, "low": prices - 20, "close": prices + 5.5, "volume": 1.5},
        index=opened,
    )
    listing = LISTINGS["BTCUSDT"]
    tape = CandleTape(candles, listing.tick, listing.step)
    now = opened[-1] + timedelta(minutes=minutes, seconds=3)

    with simulating(has_limits=False, clock=lambda: now, tapes={"BTCUSDT": tape}) as simulator:
        timeframe = {1: "1m", 60: "1h"}[minutes]
        rows = simulator.public("BINANCE").fetch_candles(PAIR, timeframe, opened[0].to_pydatetime(), 300)

    assert [row.opened_at for row in rows] == list(opened)
    played = pd.DataFrame(
        [[float(figure) for figure in (row.open, row.high, row.low, row.close, row.volume)] for row in rows],
        index=opened,
        columns=candles.columns,
    )
    pd.testing.assert_frame_equal(played, candles, check_freq=False, rtol=1e-12)


def test_time_can_go_faster() -> None:
    with simulating(has_limits=False, speed=600) as simulator:
        first = simulator.public("BINANCE").fetch_time()
        simulator.wait_for(lambda: simulator.public("BINANCE").fetch_time() - first > timedelta(minutes=5), 3)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("mtgox/price", {}, "expected /__sim__/"),
        ("kraken/weather", {}, "expected /__sim__/"),
        ("kraken/price", {"pair": "DOGE/EUR", "price": 1}, "expected a pair of BTC/USDT"),
        ("kraken/price", {"pair": PAIR, "price": "dear"}, "ConversionSyntax"),
        ("kraken/price", {"pair": PAIR, "price": "-1"}, "expected a number of 0 or more"),
        ("kraken/fault", {"kind": "meteor"}, "'meteor' is not a valid Kind"),
        ("kraken/fault", {"kind": "drop", "often": 3}, "unknown: often"),
        ("kraken/fault", {"kind": "hang", "seconds": 1e9}, "seconds from 0 to 600"),
        ("kraken/account", {"rights": ["fly"]}, "expected rights of"),
    ],
)
def test_the_control_api_says_what_it_expected(
    simulator: Simulator, path: str, body: dict[str, object], words: str
) -> None:
    reply = requests.post(f"{simulator.url}/__sim__/{path}", json=body, timeout=5)

    assert reply.status_code in (400, 404)
    assert words in reply.json()["error"]


def test_faults_hit_the_calls_that_they_are_meant_for_as_often_as_was_said(simulator: Simulator) -> None:
    simulator.control("binance", "fault", kind="status", status=503, match="/api/v3/time", times=2)
    path = f"{simulator.url}/api/v3"

    statuses = [requests.get(f"{path}/{what}", timeout=5).status_code for what in ("ping", *["time"] * 3)]

    assert statuses == [200, 503, 503, 200]


def test_a_price_that_is_set_is_a_trade_also_in_a_minute_without_others() -> None:
    market = Market(7, has_quiet_minutes=True)
    quiet = NOON
    while market.trades("BTCUSDT", trade := int(quiet.timestamp()) // 10, trade).amounts[0]:
        quiet += timedelta(minutes=1)
    venue = Venue(market, SimulatedClock(lambda: quiet), KRAKEN_TERMS)
    account = Account("k", "s", frozenset(), is_restricted=False, totals={"USDT": Decimal(1000)})
    venue.accounts["k"] = account
    venue.hold_price("BTCUSDT", Decimal(60_000))
    order = venue.place(account, Ticket("BTCUSDT", Side.BUY, Decimal("0.01"), limit=Decimal(59_000)))

    venue.hold_price("BTCUSDT", Decimal(58_999))

    assert (order.state, order.filled) == (State.FILLED, Decimal("0.01"))


TICKETS = st.lists(
    st.builds(
        Ticket,
        symbol=st.sampled_from(["BTCUSDT", "ETHUSDT", "ETHBTC"]),
        side=st.sampled_from(Side),
        amount=st.integers(1, 4000).map(lambda steps: steps * Decimal("0.001")),
        limit=st.none() | st.integers(1, 900).map(Decimal),
        stop=st.none() | st.integers(1, 900).map(Decimal),
        is_stop_above=st.booleans(),
        force=st.sampled_from(Force),
    )
    | st.integers(0, 10)  # cancels the order of that place
    | st.floats(0.5, 2.0),  # moves the price
    max_size=25,
)


@pytest.mark.parametrize("terms", [BINANCE_TERMS, COINBASE_TERMS, KRAKEN_TERMS])
@given(deeds=TICKETS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_ordered_the_books_balance(terms: Any, deeds: list[Any]) -> None:
    moment = [NOON]
    venue = Venue(Market(3), SimulatedClock(lambda: moment[0]), terms)
    before = {"USDT": Decimal(100_000), "BTC": Decimal(1), "ETH": Decimal(10)}
    account = Account("k", "s", frozenset(), is_restricted=False, totals=dict(before))

    venue.accounts["k"] = account
    for deed in deeds:
        moment[0] += timedelta(seconds=7)
        try:
            if isinstance(deed, Ticket):
                venue.place(account, priced(deed, venue))
            elif isinstance(deed, int):
                venue.cancel(list(account.orders.values())[deed])
            else:
                venue.hold_price(
                    "BTCUSDT", (venue.last_price("BTCUSDT") * Decimal(deed)).quantize(Decimal(1))
                )
        except (Refused, IndexError):
            pass

    assert changes_of(account) == {asset: account.totals[asset] - before[asset] for asset in before}
    for asset in before:
        assert 0 <= venue.locked(account).get(asset, Decimal(0)) <= account.totals[asset]


def priced(ticket: Ticket, venue: Venue) -> Ticket:
    """Turn the drawn prices, in thousandths, into ones on the tick and near the market's."""
    tick, last = LISTINGS[ticket.symbol].tick, venue.last_price(ticket.symbol)

    def near(drawn: Decimal | None) -> Decimal | None:
        return None if drawn is None else last * (drawn / 1000 + Decimal("0.6")) // tick * tick

    return replace(ticket, limit=near(ticket.limit), stop=near(ticket.stop))


def changes_of(account: Account) -> dict[str, Decimal]:
    changes = {"USDT": Decimal(0), "BTC": Decimal(0), "ETH": Decimal(0)}
    for order in account.orders.values():
        listing = LISTINGS[order.ticket.symbol]
        sign = 1 if order.ticket.side == Side.BUY else -1
        for each in order.executions:
            changes[listing.base] += sign * each.amount
            changes[listing.quote] -= sign * each.price * each.amount
            changes[each.fee_asset] -= each.fee
        filled = sum((each.amount for each in order.executions), Decimal(0))
        assert order.amount is not None
        assert filled <= order.amount
    return changes


def test_a_market_with_an_unlisted_name_is_unknown(simulator: Simulator) -> None:
    trader = simulator.trader("BINANCE")
    client = plain_client(simulator, "BINANCE", trader.credentials)

    with pytest.raises(ccxt.BadSymbol):
        client.privatePostOrder(
            {
                "symbol": "DOGEUSDT",
                "side": "BUY",
                "type": "MARKET",
                "quantity": "1",
                "newClientOrderId": str(uuid.uuid4()),
            }
        )
