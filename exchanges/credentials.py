"""What a key to an exchange looks like, and what it may be allowed to do.

Nothing here stores or sends anything. No message of this module repeats any part of what was typed.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exchanges.models import Exchange

LONGEST = 4096  # bytes of one field
HMAC_LENGTH = 64  # characters of Binance's keys and secrets
RAW_KEY_LENGTH = 64  # bytes of Kraken's secrets and of Coinbase's Ed25519 keys

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_COINBASE_NAME = re.compile(r"organizations/[\w-]+/apiKeys/[\w-]+", re.ASCII)
_COINBASE_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORD = re.compile(r"[!-~]+")  # printable, without spaces

SWAPPED = "Key and secret seem to be swapped: put each into the other field."


class Credentials:
    """A clear key. It shows itself in no representation and cannot be pickled or copied."""

    __slots__ = ("api_key", "secret")

    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key = api_key
        self.secret = secret

    def __repr__(self) -> str:
        return "<Credentials: hidden>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("Credentials stay in this process: pass the account's id, and open the vault there.")


class BadCredentials(Exception):
    """What was typed cannot be a key of this exchange; `field` is `api_key` or `secret`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


# --- the form of a key --------------------------------------------------------------------------------


def read_credentials(exchange: str, api_key: str, secret: str) -> Credentials:
    """Return what was typed, stripped and with a key file's line breaks restored.

    Raises BadCredentials when it has not the form that the exchange gives out; nobody is asked.
    """
    typed = {"api_key": api_key.strip(), "secret": secret.strip()}
    for field, value in typed.items():
        _check_size(field, value)
    if _is_pem(typed["api_key"]):
        raise BadCredentials("api_key", SWAPPED if not _is_pem(typed["secret"]) else _NOT_A_FILE)
    secret = _restore_lines(typed["secret"]) if _is_pem(typed["secret"]) else typed["secret"]
    for field, value in {"api_key": typed["api_key"], "secret": secret}.items():
        if not _is_pem(value) and not _WORD.fullmatch(value):
            raise BadCredentials(
                field,
                "There is a space, a line break or a foreign letter within. Copy it again, in one piece.",
            )
    _CHECKS[Exchange(exchange)](typed["api_key"], secret)
    return Credentials(typed["api_key"], secret)


def name_of_key(exchange: str, credentials: Credentials) -> str:
    """Return what the exchange tells the key by: Coinbase takes it with and without its organization."""
    key = credentials.api_key
    return key.rpartition("/")[2].lower() if exchange == Exchange.COINBASE else key


_NOT_A_FILE = "This is a key file. It belongs into the field of the secret; here goes the key's name."


def _check_size(field: str, value: str) -> None:
    if not value:
        raise BadCredentials(field, "Paste it from the exchange's page.")
    if len(value.encode(errors="replace")) > LONGEST:
        raise BadCredentials(field, "This is longer than 4 kB, which no exchange gives out. Copy it again.")


def _check_binance(api_key: str, secret: str) -> None:
    if len(api_key) != HMAC_LENGTH or not api_key.isalnum():
        raise BadCredentials("api_key", "Expected Binance's API key: 64 letters and digits.")
    if _is_pem(secret):
        if not isinstance(_load(secret), ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
            raise BadCredentials("secret", "Expected an Ed25519 or RSA private key; Binance takes no other.")
    elif len(secret) != HMAC_LENGTH or not secret.isalnum():
        raise BadCredentials(
            "secret",
            "Expected Binance's secret of 64 letters and digits, or an Ed25519 or RSA private key (PEM).",
        )


def _check_coinbase(api_key: str, secret: str) -> None:
    is_name = bool(_COINBASE_NAME.fullmatch(api_key))
    if _COINBASE_NAME.fullmatch(secret) or _COINBASE_ID.fullmatch(secret) or _is_raw_key(api_key):
        raise BadCredentials("api_key", SWAPPED)
    if not is_name and not _COINBASE_ID.fullmatch(api_key):
        raise BadCredentials(
            "api_key", "Expected a name such as organizations/…/apiKeys/…, or the key's id. "
            "Legacy keys are not taken: make one on Coinbase's developer platform."
        )  # fmt: skip
    if not _is_pem(secret):
        if not _is_raw_key(secret):
            raise BadCredentials(
                "secret", "Expected a private key: a PEM file's text, or base64 of 64 bytes (Ed25519)."
            )
        return
    key = _load(secret)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadCredentials("secret", "Expected an EC private key of the curve P-256, as Coinbase makes it.")
    if not is_name:
        raise BadCredentials(
            "api_key", "Beside a PEM key, expected a name such as organizations/…/apiKeys/…."
        )


def _check_kraken(api_key: str, secret: str) -> None:
    if _is_raw_key(api_key) and not _is_raw_key(secret):
        raise BadCredentials("api_key", SWAPPED)
    if not re.fullmatch(r"[A-Za-z0-9+/]{8,}={0,2}", api_key):
        raise BadCredentials("api_key", "Expected Kraken's API key: letters, digits, + and /.")
    if not _is_raw_key(secret):
        raise BadCredentials(
            "secret", "Expected Kraken's private key: base64 of 64 bytes, which ends with ==."
        )


_CHECKS: dict[Exchange, Callable[[str, str], None]] = {
    Exchange.BINANCE: _check_binance,
    Exchange.COINBASE: _check_coinbase,
    Exchange.KRAKEN: _check_kraken,
}


def _is_pem(value: str) -> bool:
    return "-----BEGIN" in value


def _restore_lines(pem: str) -> str:
    r"""Return the key file with line breaks, which JSON writes as \n and a browser's one-line field drops."""
    found = _PEM.fullmatch(pem.replace("\\r", "").replace("\\n", "\n").strip())
    if not found:
        raise BadCredentials(
            "secret",
            "The key file is incomplete: copy it from -----BEGIN to the dashes after END, and no more.",
        )
    kind, body = found[1], "".join(found[2].split())
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def _load(pem: str) -> object:
    try:
        return load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        message = "The key file has a password of its own; export it without one. Ours protects it here."
    except (ValueError, UnsupportedAlgorithm):
        message = "The key file does not open. Copy the whole text of the private key again."
    raise BadCredentials("secret", message)


def _is_raw_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == RAW_KEY_LENGTH
    except (binascii.Error, ValueError):  # the latter for letters beyond ASCII
        return False


# --- what a key may do --------------------------------------------------------------------------------

type Judgement = tuple[list[str], list[str], dict[str, Any]]

UNREADABLE = "{exchange} did not say what this key may do, so it is not used. Check the key again later."
NO_ADDRESS = "This key works from any address. Restrict it at {exchange} to the address of this server."
ADDRESS_UNKNOWN = "{exchange} does not say whether this key is restricted to an address. Restrict it there."
KRAKEN_NEEDS = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades")

STEPS = {
    Exchange.BINANCE: (
        "At Binance open Account, API Management, and create an API key.",
        "Keep “Enable Reading” and tick “Enable Spot & Margin Trading”.",
        "Leave “Enable Withdrawals”, “Enable Internal Transfer” and “Permits Universal Transfer” off.",
        "Restrict access to trusted addresses, and enter the address of this server.",
    ),
    Exchange.COINBASE: (
        "At Coinbase's developer platform open API keys, and create a secret API key.",
        "Tick “View” and “Trade” for the portfolio that the bot may use.",
        "Leave “Transfer” off.",
        "Enter the address of this server in the allowlist.",
    ),
    Exchange.KRAKEN: (
        "At Kraken open Settings, API, and create a key.",
        "Tick “Query” under Funds, and “Query open orders & trades”, “Query closed orders & trades”, "
        "“Create & modify orders” and “Cancel & close orders”.",
        "Leave “Withdraw” off.",
        "Restrict it to the address of this server.",
    ),
}


def rights_problem(exchange: str, reply: object) -> Judgement:
    """Judge the exchange's raw answer about a key: reasons to refuse it, warnings, and its rights.

    `reply` is that of Binance's `apiRestrictions`, Coinbase's `key_permissions` or Kraken's
    `GetApiKeyInfo`. The rights are can_read, can_trade, can_withdraw and has_address_restriction, the last
    one None where the exchange does not tell; they are empty when the answer could not be read.
    A key without refusals may be used. https://developers.binance.com/docs/wallet/account/api-key-permission
    """
    named = Exchange(exchange)
    rights = _READERS[named](reply) if isinstance(reply, Mapping) else None
    if rights is None:
        return [UNREADABLE.format(exchange=named.label)], [], {}
    return _refusals(named, rights), _warnings(named, rights), rights


def _refusals(exchange: Exchange, rights: Mapping[str, Any]) -> list[str]:
    refusals = []
    if rights["can_withdraw"]:
        refusals.append(f"This key may withdraw or transfer funds. No bot needs that: {_remedy(exchange)}")
    if not rights["can_trade"]:
        refusals.append(f"This key may not place and cancel orders. {_remedy(exchange)}")
    if not rights["can_read"]:
        refusals.append(f"This key may not read balances and orders. {_remedy(exchange)}")
    return refusals


def _warnings(exchange: Exchange, rights: Mapping[str, Any]) -> list[str]:
    if rights["has_address_restriction"]:
        return []
    warning = ADDRESS_UNKNOWN if rights["has_address_restriction"] is None else NO_ADDRESS
    return [warning.format(exchange=exchange.label)]


def _remedy(exchange: Exchange) -> str:
    return f"Make another one at {exchange.label} by the steps below, and replace the keys here."


def _binance_rights(reply: Mapping[str, Any]) -> dict[str, Any] | None:
    dangers = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
    if not _are_flags(reply, *dangers, "enableSpotAndMarginTrading", "ipRestrict"):
        return None
    return {
        "can_read": reply.get("enableReading", True) is True,
        "can_trade": reply["enableSpotAndMarginTrading"],
        "can_withdraw": any(reply[name] for name in dangers),
        "has_address_restriction": reply["ipRestrict"],
    }


def _coinbase_rights(reply: Mapping[str, Any]) -> dict[str, Any] | None:
    if not _are_flags(reply, "can_view", "can_trade", "can_transfer"):
        return None
    return {
        "can_read": reply["can_view"],
        "can_trade": reply["can_trade"],
        "can_withdraw": reply["can_transfer"],
        "has_address_restriction": None,
    }


def _kraken_rights(reply: Mapping[str, Any]) -> dict[str, Any] | None:
    info = reply.get("result", reply)
    if reply.get("error") or not isinstance(info, Mapping):
        return None
    granted, addresses = _words(info.get("permissions")), _words(info.get("ipAllowlist"))
    if granted is None or addresses is None:
        return None
    return {
        "can_read": set(KRAKEN_NEEDS[:3]) <= set(granted),
        "can_trade": set(KRAKEN_NEEDS[3:]) <= set(granted),
        "can_withdraw": any("withdraw" in name or "transfer" in name for name in granted),
        "has_address_restriction": bool(addresses),
    }


_READERS: dict[Exchange, Callable[[Mapping[str, Any]], dict[str, Any] | None]] = {
    Exchange.BINANCE: _binance_rights,
    Exchange.COINBASE: _coinbase_rights,
    Exchange.KRAKEN: _kraken_rights,
}


def _are_flags(reply: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(reply.get(name), bool) for name in names)


def _words(value: object) -> list[str] | None:
    is_readable = isinstance(value, list) and all(isinstance(word, str) for word in value)
    return cast(list[str], value) if is_readable else None
