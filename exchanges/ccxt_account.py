"""One exchange account through ccxt, for the length of one task: the key lives no longer than this object."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import ccxt

from exchanges.ccxt_client import HostGuard, Profile, guard_of, make_client, profile_of
from exchanges.ccxt_errors import BROKEN, Phase, translated
from exchanges.ccxt_gateway import CcxtGateway
from exchanges.credentials import Credentials
from exchanges.errors import ExchangeError, UnknownExchange
from exchanges.gateway import Balance
from exchanges.rate_budget import RateBudget, bucket_of_key

LIVE, TESTNET = "LIVE", "TESTNET"
TESTNET_HOSTS = {"BINANCE": frozenset({"testnet.binance.vision"})}  # ccxt has none for the others
BINANCE_ORDER_VALID_MS = 3_000  # later than that the exchange refuses what we sent

RIGHTS_CALLS = {
    "BINANCE": "sapiGetAccountApiRestrictions",
    "COINBASE": "v3PrivateGetBrokerageKeyPermissions",
    "KRAKEN": "privatePostGetApiKeyInfo",
}


class CcxtAccount:
    """Ask an exchange about one account. Not for use by several threads, nor for longer than a task."""

    def __init__(
        self,
        exchange: str,
        environment: str,
        credentials: Credentials,
        simulator_url: str | None,
        budget: RateBudget,
        *,
        markets_of: CcxtGateway | None = None,
    ) -> None:
        """Make a client for the account; nothing is sent yet. `environment` is "LIVE" or "TESTNET".

        `markets_of` is the gateway whose markets it may use; without one it asks for them itself. Raises
        UnknownExchange where the exchange has no such environment: never another one instead.
        """
        self.exchange = exchange
        self.budget = budget
        self._markets_of = markets_of
        self._secrets = (credentials.api_key, credentials.secret)
        self._is_clock_right = exchange != "BINANCE"  # the only one that judges a request by its time stamp
        profile = profile_of(exchange)
        hosts = _hosts(exchange, environment, profile)
        config = {"apiKey": credentials.api_key, "secret": credentials.secret}
        self.client = make_client(profile, hosts, simulator_url, budget, config)
        if environment == TESTNET:
            self.client.set_sandbox_mode(True)
        if exchange == "BINANCE":
            self.client.options["recvWindow"] = BINANCE_ORDER_VALID_MS
        if exchange == "KRAKEN":
            _have_calls_take_turns(self.client, budget, credentials.api_key)
        own = bucket_of_key(credentials.api_key, profile.key_interval_seconds, profile.key_burst)
        take_of_address = self.client.throttle

        def throttle(cost: float = 1.0) -> None:
            if profile.key_unit is not None:
                budget.take([own] if cost else [], cost / profile.key_unit)
            else:
                budget.take([own])
                take_of_address(cost)

        self.client.throttle = throttle

    @property
    def guard(self) -> HostGuard:
        """What stands between the client and the network."""
        return guard_of(self.client)

    def fetch_rights(self) -> Mapping[str, Any]:
        """Return what the key may do, as the exchange words it.

        Raises KeyRefused when the exchange does not know the key.
        """
        with self.reading("the key's rights", needs_markets=False):
            reply = getattr(self.client, RIGHTS_CALLS[self.exchange])()
            if not isinstance(reply, Mapping):
                raise TypeError(f"expected an object, got {type(reply).__name__}")
            return reply

    def fetch_balances(self) -> dict[str, Balance]:
        """Return what the account holds, by asset; assets of which it has nothing are left out."""
        with self.reading("its balances"):
            params = {"v3": True} if self.exchange == "COINBASE" else {}
            reply = self.client.fetch_balance(params)
            balances = {
                asset: Balance(
                    Decimal(str(reply["free"][asset] or 0)), Decimal(str(reply["used"][asset] or 0))
                )
                for asset in reply["total"]
            }
        return {asset: held for asset, held in balances.items() if held.free or held.locked}

    @contextmanager
    def reading(self, what: str, *, needs_markets: bool = True) -> Iterator[None]:
        """Make the client ready, and translate what goes wrong while it is asked for `what`."""
        try:
            self._prepare(needs_markets=needs_markets)
            yield
        except ExchangeError:  # of the budget
            raise
        except BROKEN as error:
            # "from None": what ccxt raised may carry the key or the signature of a call
            raise self.translated(error, Phase.READ, what) from None

    def translated(self, error: Exception, phase: Phase, what: str) -> ExchangeError:
        """Return our exception for what ccxt raised when asked for `what`; it never holds the keys."""
        return translated(self.exchange, error, phase, what, self._secrets)

    def make_ready(self) -> None:
        """Do what the first call needs, now: clock and markets. Raises what reading raises."""
        with self.reading("its markets"):
            pass

    def _prepare(self, *, needs_markets: bool) -> None:
        if not self._is_clock_right:
            self.client.load_time_difference()  # Binance refuses what is stamped a second ahead of its own
            self._is_clock_right = True
        if needs_markets and not self.client.markets:
            if self._markets_of is None:
                self.client.load_markets()
            else:
                self._markets_of.lend_markets(self.client)


def _hosts(exchange: str, environment: str, profile: Profile) -> frozenset[str]:
    if environment == LIVE:
        return profile.hosts
    if environment == TESTNET and exchange in TESTNET_HOSTS:
        return TESTNET_HOSTS[exchange]
    raise UnknownExchange(f"{exchange} has no {environment} environment; a PAPER account trades on paper.")


def _have_calls_take_turns(client: ccxt.Exchange, budget: RateBudget, key: str) -> None:
    """Have nonces reach Kraken in order, whichever processes use the key."""
    fetch = client.fetch2

    def fetch_in_turn(*args: Any, **kwargs: Any) -> Any:
        with budget.in_turn(key):
            return fetch(*args, **kwargs)

    client.fetch2 = fetch_in_turn
    client.nonce = lambda: budget.nonce(key)


def _amount(figure: str | None) -> Decimal:
    return Decimal(figure or 0)
