"""All simulated exchanges behind one port: who answers for which host, and what the control API does."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from exchanges.simulator import keys
from exchanges.simulator.binance import Binance
from exchanges.simulator.clock import SimulatedClock
from exchanges.simulator.coinbase import Coinbase
from exchanges.simulator.faults import Fault, Faults
from exchanges.simulator.http import Reply, Request
from exchanges.simulator.kraken import Kraken
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.market import Market, Tape
from exchanges.simulator.venue import Account, Order, Terms, Venue

CONTROL = "/__sim__/"
LOG_LENGTH = 10_000
RIGHTS = frozenset({"read", "trade", "withdraw", "transfer"})

BINANCE_TERMS = Terms(
    taker_fee=Decimal("0.001"), maker_fee=Decimal("0.001"), is_fee_of_received=True, is_id_forever=False
)
COINBASE_TERMS = Terms(
    taker_fee=Decimal("0.012"), maker_fee=Decimal("0.006"), is_fee_of_received=False, is_id_forever=True
)
KRAKEN_TERMS = Terms(
    taker_fee=Decimal("0.004"), maker_fee=Decimal("0.0025"), is_fee_of_received=False, is_id_forever=False
)


class Dialect(Protocol):
    """One exchange's protocol."""

    venue: Venue

    def answer(self, request: Request) -> Reply:
        """Return the reply, a refusal included."""


@dataclass
class Exchange:
    """One exchange with what the control API needs."""

    dialect: Dialect
    make_key: Callable[[], tuple[str, str]]
    faults: Faults = field(default_factory=Faults)
    log: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))


class World:
    """The simulated exchanges by name, and which of them answers for a host."""

    def __init__(
        self,
        seed: int,
        clock: SimulatedClock,
        *,
        has_limits: bool = True,
        tapes: Mapping[str, Tape] | None = None,
    ) -> None:
        self.clock = clock

        def venue(terms: Terms, *, has_quiet_minutes: bool) -> Venue:
            market = Market(seed, has_quiet_minutes=has_quiet_minutes, tapes=dict(tapes or {}))
            return Venue(market, clock, terms)

        lively, testnet = (venue(BINANCE_TERMS, has_quiet_minutes=False) for _ in range(2))
        coinbase = venue(COINBASE_TERMS, has_quiet_minutes=True)
        kraken = venue(KRAKEN_TERMS, has_quiet_minutes=True)
        self.exchanges = {
            "binance": Exchange(Binance(lively, has_limits=has_limits), keys.binance_key),
            "binance-testnet": Exchange(
                Binance(testnet, is_testnet=True, has_limits=has_limits), keys.binance_key
            ),
            "coinbase": Exchange(Coinbase(coinbase, has_limits=has_limits), keys.coinbase_key),
            "kraken": Exchange(Kraken(kraken, has_limits=has_limits), keys.kraken_key),
        }
        self._by_host = {
            "api.binance.com": "binance",
            "testnet.binance.vision": "binance-testnet",
            "api.coinbase.com": "coinbase",
            "api.kraken.com": "kraken",
        }

    def of_host(self, host: str) -> Exchange:
        """Return who answers for a Host header; without one of theirs it is Binance."""
        return self.exchanges[self._by_host.get(host.partition(":")[0], "binance")]

    def control(self, request: Request) -> Reply:
        """Do what the control API is asked: `POST /__sim__/{exchange}/{what}` with a JSON object."""
        parts = request.path.removeprefix(CONTROL).split("/")
        exchange = self.exchanges.get(parts[0])
        deed = _DEEDS.get(parts[1]) if len(parts) == 2 else None
        if exchange is None or deed is None:
            names, deeds = ", ".join(self.exchanges), ", ".join(_DEEDS)
            return Reply({"error": f"expected {CONTROL}{{exchange}}/{{what}} of {names} and {deeds}"}, 404)
        try:
            body = request.json()
            if not isinstance(body, dict):
                raise ValueError("expected a JSON object")
            with exchange.dialect.venue.lock:
                return Reply(deed(exchange, body))
        except (ValueError, TypeError, LookupError, InvalidOperation) as error:
            return Reply({"error": str(error)}, 400)


def _set_price(exchange: Exchange, body: Mapping[str, Any]) -> object:
    """{"pair": "BTC/USDT", "price": "50000"} keeps the price there; {"pair": …, "price": null} lets it go."""
    symbol = _symbol(body)
    price = body["price"]
    exchange.dialect.venue.hold_price(symbol, None if price is None else _decimal(price))
    return {"price": str(exchange.dialect.venue.last_price(symbol))}


def _set_account(exchange: Exchange, body: Mapping[str, Any]) -> object:
    """Make an account, or change the one of `key`: `balances`, `rights`, `is_restricted`; returns it all."""
    accounts = exchange.dialect.venue.accounts
    account = accounts.get(str(body.get("key", "")))
    if account is None:
        made = exchange.make_key()
        if body.get("kind") == "ed25519" and exchange.make_key is keys.coinbase_key:
            made = keys.coinbase_ed25519_key()
        key, secret = str(body.get("key", made[0])), str(body.get("secret", made[1]))
        account = Account(key, secret, frozenset({"read", "trade"}), is_restricted=True)
    if "rights" in body:
        rights = frozenset(body["rights"])
        if not rights <= RIGHTS:
            raise ValueError(f"expected rights of {', '.join(sorted(RIGHTS))}")
        account.rights = rights
    account.is_restricted = bool(body.get("is_restricted", account.is_restricted))
    account.totals |= {str(asset): _decimal(total) for asset, total in body.get("balances", {}).items()}
    if body.get("is_revoked"):
        accounts.pop(account.key, None)
    else:
        accounts[account.key] = account
    return {
        "key": account.key,
        "secret": account.secret,
        "rights": sorted(account.rights),
        "is_restricted": account.is_restricted,
        "balances": {asset: str(total) for asset, total in account.totals.items()},
        "locked": {asset: str(held) for asset, held in exchange.dialect.venue.locked(account).items()},
    }


def _add_fault(exchange: Exchange, body: Mapping[str, Any]) -> object:
    """Add a fault as `faults.Fault` says; {} forgets all that are still to come."""
    if body:
        exchange.faults.add(Fault.parse(body))
    else:
        exchange.faults.clear()
    return {}


def _move_clock(exchange: Exchange, body: Mapping[str, Any]) -> object:
    """{"move_seconds": 5} puts all exchanges' clock forward by so much; {} only reads it."""
    clock = exchange.dialect.venue.clock
    clock.move(float(body.get("move_seconds", 0)))
    return {"now": clock.now().isoformat()}


def _set_depth(exchange: Exchange, body: Mapping[str, Any]) -> object:
    """{"pair": …, "bids": [["49999", "0.1"]], "asks": […]} or {"pair": …, "scale": "0.01"}.

    A side that is not given shows the tape's levels.
    """
    book = exchange.dialect.venue.book(_symbol(body))
    sides = {side: body[side] for side in ("bids", "asks") if side in body}
    levels = {
        side: [(_decimal(price), _decimal(amount)) for price, amount in rows] for side, rows in sides.items()
    }
    book.fix(levels, _decimal(body.get("scale", 1)))
    return {
        side: [[str(price), str(amount)] for price, amount in book.levels(side, 5)]
        for side in ("bids", "asks")
    }


def _list_orders(exchange: Exchange, body: Mapping[str, Any]) -> object:
    """Return every order of the account of `key`, or of all."""
    venue = exchange.dialect.venue
    venue.refresh()
    accounts = [venue.accounts[body["key"]]] if "key" in body else list(venue.accounts.values())
    return {"orders": [_order(account, order) for account in accounts for order in account.orders.values()]}


def _read_log(exchange: Exchange, body: Mapping[str, Any]) -> object:
    """Return the newest requests; {"clear": true} also forgets them."""
    entries = list(exchange.log)
    if body.get("clear"):
        exchange.log.clear()
    return {"requests": entries}


_DEEDS: dict[str, Callable[[Exchange, Mapping[str, Any]], object]] = {
    "price": _set_price,
    "account": _set_account,
    "fault": _add_fault,
    "clock": _move_clock,
    "depth": _set_depth,
    "orders": _list_orders,
    "log": _read_log,
}


def _order(account: Account, order: Order) -> dict[str, object]:
    return {
        "key": account.key,
        "number": order.number,
        "client_id": order.ticket.client_id,
        "symbol": order.ticket.symbol,
        "side": order.ticket.side.value,
        "state": order.state.value,
        "amount": None if order.amount is None else str(order.amount),
        "filled": str(order.filled),
        "cost": str(order.cost),
        "fee": str(order.fee),
    }


def _symbol(body: Mapping[str, Any]) -> str:
    symbol = str(body.get("pair", "")).replace("/", "")
    if symbol not in LISTINGS:
        pairs = ", ".join(f"{each.base}/{each.quote}" for each in LISTINGS.values())
        raise ValueError(f"expected a pair of {pairs}")
    return symbol


def _decimal(value: object) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite() or number < 0:
        raise ValueError(f"expected a number of 0 or more, got {value!r}")
    return number
