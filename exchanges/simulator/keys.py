"""New API keys, in each exchange's own form."""

import base64
import secrets
import uuid

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def binance_key() -> tuple[str, str]:
    """Return a key and its HMAC secret."""
    return secrets.token_hex(32), secrets.token_hex(32)


def kraken_key() -> tuple[str, str]:
    """Return a key and its base64 secret of 64 bytes."""
    return base64.b64encode(secrets.token_bytes(42)).decode(), base64.b64encode(
        secrets.token_bytes(64)
    ).decode()


def coinbase_key() -> tuple[str, str]:
    """Return a key's name and its EC private key as PEM: the kind that signs with ES256."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return f"organizations/{uuid.uuid4()}/apiKeys/{uuid.uuid4()}", pem


def coinbase_ed25519_key() -> tuple[str, str]:
    """Return a key's id and its base64 secret, seed and public key: the kind that signs with EdDSA."""
    private = ed25519.Ed25519PrivateKey.generate()
    seed = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return str(uuid.uuid4()), base64.b64encode(seed + public).decode()
