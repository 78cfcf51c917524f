"""The only place that turns a stored key into a clear one, and the other way round.

AES-256-GCM. Each row names the key it was sealed under, and its ciphertext is bound to the row: id, owner,
exchange and environment are authenticated with it, so that it opens nowhere else, and a testnet key never
becomes a live one by an edit of its row.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:  # the settings read their keys with this module, before there are models
    from exchanges.credentials import Credentials
    from exchanges.models import ExchangeAccount

NONCE_LENGTH = 12  # bytes
KEY_LENGTH = 32  # bytes
_EXPECTED = "expected id:key[,id:key…], each key base64 of 32 bytes, each id up to 16 of a-z, 0-9 and -"


class VaultError(Exception):
    """A row's keys do not open; the message says what to do."""


def read_keys(text: str, *, name: str = "VAULT_KEYS") -> dict[str, bytes]:
    """Return the keys of the variable `name` by id, in their order: the first one seals, all open.

    Raises ImproperlyConfigured, which tells the position of what is wrong and never its text.
    """
    keys: dict[str, bytes] = {}
    for position, entry in enumerate(text.split(","), start=1):
        key_id, _, encoded = entry.strip().partition(":")
        key = _decoded(encoded)
        if not re.fullmatch(r"[a-z0-9-]{1,16}", key_id) or len(key) != KEY_LENGTH:
            raise ImproperlyConfigured(f"{name}: {_EXPECTED}; entry {position} is something else.")
        if key_id in keys:
            raise ImproperlyConfigured(f"{name}: {_EXPECTED}; entry {position} repeats an id.")
        keys[key_id] = key
    return keys


def sealing_key_id() -> str:
    return next(iter(_keys()))


def seal(account: "ExchangeAccount", credentials: "Credentials") -> None:
    """Put the credentials into the account, which has its id already; the caller saves it."""
    key_id = sealing_key_id()
    clear = json.dumps([credentials.api_key, credentials.secret]).encode()
    nonce = os.urandom(NONCE_LENGTH)
    account.sealed = nonce + AESGCM(_keys()[key_id]).encrypt(nonce, clear, _place_of(account))
    account.key_id = key_id
    account.key_fingerprint = _fingerprint(account, credentials)


@contextmanager
def opened(account: "ExchangeAccount") -> Iterator["Credentials"]:
    """Give the account's clear credentials for one call. Raises VaultError."""
    from exchanges.credentials import Credentials  # noqa: PLC0415

    if not account.sealed:
        raise VaultError(f"{_name(account)} holds no keys; enter them on its page.")
    key = _keys().get(account.key_id)
    if key is None:
        raise VaultError(
            f"{_name(account)} is sealed under the key {account.key_id!r}, which VAULT_KEYS lacks. "
            "Add it there again."
        )
    sealed = bytes(account.sealed)
    try:
        clear = AESGCM(key).decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], _place_of(account))
    except (InvalidTag, ValueError) as error:
        raise VaultError(
            f"{_name(account)}: its keys do not open. Either the key {account.key_id!r} in VAULT_KEYS is not "
            "the one they were sealed under, or the row was changed or moved. Restore the one or the other, "
            "or have its owner replace the keys."
        ) from error
    yield Credentials(*json.loads(clear))


def reseal(account: "ExchangeAccount") -> None:
    """Bring the account's credentials under the first key; the caller saves it. Raises VaultError."""
    with opened(account) as credentials:
        seal(account, credentials)


def _keys() -> Mapping[str, bytes]:
    keys: Mapping[str, bytes] = settings.VAULT_KEYS
    return keys


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _fingerprint(account: "ExchangeAccount", credentials: "Credentials") -> str:
    """Return by what the same key is known again at its exchange, whoever adds it.

    HMAC-SHA256 under SECRET_KEY. It helps nobody to find a key by trying: exchanges draw them at random from
    2^122 (Coinbase) and more. Another SECRET_KEY makes other fingerprints.
    """
    from exchanges.credentials import name_of_key  # noqa: PLC0415

    key = json.dumps([account.exchange, account.environment, name_of_key(account.exchange, credentials)])
    return salted_hmac("exchanges.vault.fingerprint", key, algorithm="sha256").hexdigest()


def _place_of(account: "ExchangeAccount") -> bytes:
    if account.pk is None:
        raise VaultError("Save the account before its keys: they are bound to its id.")
    return (
        f"exchange-account:{account.pk}:{account.owner_id}:{account.exchange}:{account.environment}".encode()
    )


def _name(account: "ExchangeAccount") -> str:
    return f"Exchange account {account.pk}"
