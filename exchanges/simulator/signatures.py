"""How each exchange proves that a request was made by the holder of a key's secret.

The simulator knows the secret itself, as it made the key, and derives from it what the exchange would keep.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PEM = "-----BEGIN"
ED25519_SEED_BYTES = 32


def is_binance(secret: str, payload: str, signature: str) -> bool:
    """Tell whether the key signed this query string and body: by HMAC, or by Ed25519 when it is a PEM."""
    if not secret.startswith(PEM):
        expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, signature)
    key = load_pem_private_key(secret.encode(), password=None)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        return False
    try:
        key.public_key().verify(base64.b64decode(unquote(signature)), payload.encode())
    except (InvalidSignature, binascii.Error):
        return False
    return True


def is_kraken(secret: str, path: str, nonce: str, body: bytes, signature: str) -> bool:
    """Tell whether this is the API-Sign of the request: HMAC-SHA512 of path and SHA256(nonce + body)."""
    message = path.encode() + hashlib.sha256(nonce.encode() + body).digest()
    expected = base64.b64encode(hmac.new(base64.b64decode(secret), message, hashlib.sha512).digest())
    return hmac.compare_digest(expected.decode(), signature)


def coinbase_claims(secret: str, token: str) -> Mapping[str, Any] | None:
    """Return what a bearer token claims, or None when the key did not sign it. Its times are not judged."""
    key, algorithm = _coinbase_key(secret)
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.public_key(),
            algorithms=[algorithm],
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        return None
    return claims


def coinbase_key_name(token: str) -> str:
    """Return the key that a bearer token names, or "" for what is no token."""
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except jwt.InvalidTokenError:
        return ""


def _coinbase_key(secret: str) -> tuple[ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, str]:
    if not secret.startswith(PEM):
        seed = base64.b64decode(secret)[:ED25519_SEED_BYTES]
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed), "EdDSA"
    key = load_pem_private_key(secret.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"expected an EC key, got {type(key).__name__}")
    return key, "ES256"
