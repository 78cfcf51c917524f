"""One exchange account through ccxt, for the length of one task: the key lives no longer than this object."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ccxt

from exchanges.ccxt_client import Profile, make_client, profile_of
from exchanges.ccxt_errors import Phase, translated
from exchanges.credentials import Credentials
from exchanges.errors import ExchangeError, UnknownExchange
from exchanges.rate_budget import RateBudget, bucket_of_key

LIVE, TESTNET = "LIVE", "TESTNET"
TESTNET_HOSTS = {"BINANCE": frozenset({"testnet.binance.vision"})}  # ccxt has none for the others
BINANCE_ORDER_VALID_MS = 3_000  # later than that the exchange refuses what we sent

RIGHTS_CALLS = {
    "BINANCE": "sapiGetAccountApiRestrictions",
    "COINBASE": "v3PrivateGetBrokerageKeyPermissions",
    "KRAKEN": "privatePostGetApiKeyInfo",
}


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds of one asset."""

    free: Decimal
    locked: Decimal  # in open orders


class CcxtAccount:
    """Ask an exchange about one account. Not for use by several threads, nor for longer than a task."""

    def __init__(
        self,
        exchange: str,
        environment: str,
        credentials: Credentials,
        simulator_url: str | None,
        budget: RateBudget,
    ) -> None:
        """Make a client for the account; nothing is sent yet. `environment` is "LIVE" or "TESTNET".

        Raises UnknownExchange where the exchange has no such environment: never another one instead.
        """
        self._exchange = exchange
        profile = profile_of(exchange, simulator_url)
        hosts = _hosts(exchange, environment, profile)
        config = {"apiKey": credentials.api_key, "secret": credentials.secret}
        self._client = make_client(profile, hosts, simulator_url, budget, config)
        if environment == TESTNET:
            self._client.set_sandbox_mode(True)
        if exchange == "BINANCE":
            self._client.options["recvWindow"] = BINANCE_ORDER_VALID_MS
        if exchange == "KRAKEN":
            _have_calls_take_turns(self._client, budget, credentials.api_key)
        own = bucket_of_key(credentials.api_key, profile.key_interval_seconds, profile.key_burst)
        take_of_address = self._client.throttle

        def throttle(cost: float | None = None) -> None:
            budget.take([own])
            take_of_address(cost)

        self._client.throttle = throttle

    def fetch_rights(self) -> Mapping[str, Any]:
        """Return what the key may do, as the exchange words it.

        Raises KeyRefused when the exchange does not know the key.
        """
        with self._asking("the key's rights"):
            self._correct_clock()
            reply = getattr(self._client, RIGHTS_CALLS[self._exchange])()
            if not isinstance(reply, Mapping):
                raise TypeError(f"expected an object, got {type(reply).__name__}")
            return reply

    def fetch_balances(self) -> dict[str, Balance]:
        """Return what the account holds, by asset; assets of which it has nothing are left out."""
        with self._asking("its balances"):
            self._correct_clock()
            params = {"v3": True} if self._exchange == "COINBASE" else {}
            reply = self._client.fetch_balance(params)
            balances = {
                asset: Balance(
                    Decimal(str(reply["free"][asset] or 0)), Decimal(str(reply["used"][asset] or 0))
                )
                for asset in reply["total"]
            }
        return {asset: held for asset, held in balances.items() if held.free or held.locked}

    def _correct_clock(self) -> None:
        """Learn by how much our clock differs: Binance refuses what is stamped a second ahead of its own."""
        if self._exchange == "BINANCE":
            self._client.load_time_difference()

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except ExchangeError:  # of the budget
            raise
        except (ccxt.BaseError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # "from None": what ccxt raised may carry the key or the signature of a call
            raise translated(self._exchange, error, Phase.READ, what) from None


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
