"""The form of keys, and what they may do."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from exchanges.credentials import BadCredentials, read_credentials, rights_problem


def pem(key: Any, encryption: KeySerializationEncryption | None = None, traditional: bool = False) -> str:
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return str(key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode())


EC = pem(ec.generate_private_key(ec.SECP256R1()), traditional=True)
EC_PKCS8 = pem(ec.generate_private_key(ec.SECP256R1()))
EC_OTHER_CURVE = pem(ec.generate_private_key(ec.SECP384R1()))
ED25519 = pem(ed25519.Ed25519PrivateKey.generate())
RSA = pem(rsa.generate_private_key(65537, 2048))
LOCKED = pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"word"))

HMAC_KEY, HMAC_SECRET = "Ab1" * 21 + "x", "Zy9" * 21 + "q"
NAME = "organizations/0a1b-2c/apiKeys/3d4e-5f"
KEY_ID = "12345678-90ab-cdef-1234-567890abcdef"
RAW = base64.b64encode(bytes(range(64))).decode()
KRAKEN_KEY = base64.b64encode(bytes(range(42))).decode()


@pytest.mark.parametrize(
    ("exchange", "api_key", "secret"),
    [
        ("BINANCE", HMAC_KEY, HMAC_SECRET),
        ("BINANCE", HMAC_KEY, ED25519),
        ("BINANCE", HMAC_KEY, RSA),
        ("COINBASE", NAME, EC),
        ("COINBASE", NAME, EC_PKCS8),
        ("COINBASE", NAME, RAW),
        ("COINBASE", KEY_ID, RAW),
        ("KRAKEN", KRAKEN_KEY, RAW),
    ],
)
def test_what_an_exchange_gives_out_is_taken(exchange: str, api_key: str, secret: str) -> None:
    read = read_credentials(exchange, f" {api_key}\n", f"\t{secret} ")

    assert (read.api_key, read.secret) == (api_key, secret)


@pytest.mark.parametrize(
    "pasted",
    [EC.replace("\n", "\\n"), EC.replace("\n", ""), EC.replace("\n", " "), EC.replace("\n", "\r\n")],
    ids=["as JSON has it", "from a one-line field", "with spaces", "from Windows"],
)
def test_a_key_file_gets_its_line_breaks_back(pasted: str) -> None:
    assert read_credentials("COINBASE", NAME, pasted).secret == EC


@pytest.mark.parametrize(
    ("exchange", "api_key", "secret", "field", "message"),
    [
        ("BINANCE", "", HMAC_SECRET, "api_key", "Paste it"),
        ("BINANCE", HMAC_KEY, "  ", "secret", "Paste it"),
        ("BINANCE", HMAC_KEY[:-1], HMAC_SECRET, "api_key", "64 letters"),
        ("BINANCE", HMAC_KEY, HMAC_SECRET + "a", "secret", "64 letters"),
        ("BINANCE", HMAC_KEY, EC, "secret", "Ed25519 or RSA"),
        ("BINANCE", RSA, HMAC_KEY, "api_key", "swapped"),
        ("BINANCE", RSA, RSA, "api_key", "key file"),
        ("COINBASE", EC, NAME, "api_key", "swapped"),
        ("COINBASE", RAW, KEY_ID, "api_key", "swapped"),
        ("COINBASE", "AbCdEf1234567890", HMAC_SECRET, "api_key", "Legacy keys"),
        ("COINBASE", NAME, HMAC_SECRET, "secret", "64 bytes"),
        ("COINBASE", NAME, ED25519, "secret", "P-256"),
        ("COINBASE", NAME, EC_OTHER_CURVE, "secret", "P-256"),
        ("COINBASE", NAME, LOCKED, "secret", "password"),
        ("COINBASE", NAME, EC[:80], "secret", "incomplete"),
        ("COINBASE", NAME, EC.replace("M", "N"), "secret", "does not open"),
        ("COINBASE", KEY_ID, EC, "api_key", "Beside a PEM key"),
        ("KRAKEN", RAW, KRAKEN_KEY, "api_key", "swapped"),
        ("KRAKEN", KRAKEN_KEY, KRAKEN_KEY, "secret", "64 bytes"),
        ("KRAKEN", KRAKEN_KEY, RAW[:-1], "secret", "64 bytes"),
        ("KRAKEN", "a key!", RAW, "api_key", "space"),
        ("KRAKEN", KRAKEN_KEY, f"{RAW[:40]}\n{RAW[40:]}", "secret", "space"),
        ("KRAKEN", KRAKEN_KEY, "ä" * 88, "secret", "foreign"),
        ("KRAKEN", KRAKEN_KEY, "\ud800", "secret", "foreign"),
        ("KRAKEN", KRAKEN_KEY, "A" * 4097, "secret", "4 kB"),
        ("BINANCE", "A" * 4097, HMAC_SECRET, "api_key", "4 kB"),
    ],
    ids=lambda text: ascii(text[:12]),  # keys are made anew in each process, and names have to be the same
)
def test_anything_else_is_refused_at_its_field_without_being_repeated(
    exchange: str, api_key: str, secret: str, field: str, message: str
) -> None:
    with pytest.raises(BadCredentials, match=message) as caught:
        read_credentials(exchange, api_key, secret)

    assert caught.value.field == field
    for typed in (api_key.strip(), secret.strip()):
        assert not typed or typed[:12] not in str(caught.value)


# --- rights -------------------------------------------------------------------------------------------

BINANCE = {
    "ipRestrict": True,
    "enableReading": True,
    "enableSpotAndMarginTrading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
}
COINBASE = {"can_view": True, "can_trade": True, "can_transfer": False}
GRANTED = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]
KRAKEN = {"permissions": GRANTED, "ipAllowlist": ["192.0.2.1"]}


@pytest.mark.parametrize(
    ("exchange", "reply", "warnings"),
    [
        ("BINANCE", BINANCE, 0),
        ("BINANCE", BINANCE | {"ipRestrict": False}, 1),
        ("COINBASE", COINBASE, 1),
        ("KRAKEN", KRAKEN, 0),
        ("KRAKEN", {"error": [], "result": KRAKEN}, 0),
        ("KRAKEN", KRAKEN | {"ipAllowlist": []}, 1),
        ("KRAKEN", KRAKEN | {"permissions": [*GRANTED, "export-data"]}, 0),
    ],
)
def test_a_key_that_only_trades_is_taken(exchange: str, reply: Any, warnings: int) -> None:
    refusals, warned, rights = rights_problem(exchange, reply)

    assert (refusals, len(warned)) == ([], warnings)
    assert (rights["can_read"], rights["can_trade"], rights["can_withdraw"]) == (True, True, False)
    assert json.loads(json.dumps(rights)) == rights


@pytest.mark.parametrize(
    ("exchange", "reply", "refusal"),
    [
        ("BINANCE", BINANCE | {"enableWithdrawals": True}, "withdraw or transfer"),
        ("BINANCE", BINANCE | {"enableInternalTransfer": True}, "withdraw or transfer"),
        ("BINANCE", BINANCE | {"permitsUniversalTransfer": True}, "withdraw or transfer"),
        ("BINANCE", BINANCE | {"enableSpotAndMarginTrading": False}, "place and cancel"),
        ("COINBASE", COINBASE | {"can_transfer": True}, "withdraw or transfer"),
        ("COINBASE", COINBASE | {"can_trade": False}, "place and cancel"),
        ("COINBASE", COINBASE | {"can_view": False}, "read balances"),
        ("KRAKEN", KRAKEN | {"permissions": [*GRANTED, "withdraw-funds"]}, "withdraw or transfer"),
        *(
            (
                "KRAKEN",
                KRAKEN | {"permissions": [name for name in GRANTED if name != lacking]},
                "This key may not",
            )
            for lacking in GRANTED
        ),
    ],
)
def test_a_key_with_a_wrong_right_is_refused_with_what_to_do(exchange: str, reply: Any, refusal: str) -> None:
    refusals, _, rights = rights_problem(exchange, reply)

    assert len(refusals) == 1
    assert refusal in refusals[0]
    assert "Make another one" in refusals[0]
    assert rights


def without(reply: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key != name}


NONSENSE: tuple[Any, ...] = (None, {}, [], "ok")
UNREADABLE: list[tuple[str, Any]] = [
    *((exchange, reply) for exchange in ("BINANCE", "COINBASE", "KRAKEN") for reply in NONSENSE),
    *(("BINANCE", without(BINANCE, name)) for name in BINANCE if name != "enableReading"),
    *(("COINBASE", without(COINBASE, name)) for name in COINBASE),
    *(("KRAKEN", without(KRAKEN, name)) for name in KRAKEN),
    ("BINANCE", BINANCE | {"enableWithdrawals": "false"}),
    ("BINANCE", BINANCE | {"enableWithdrawals": 0}),
    ("COINBASE", COINBASE | {"can_transfer": None}),
    ("KRAKEN", {"permissions": "query-funds", "ipAllowlist": []}),
    ("KRAKEN", {"permissions": [None], "ipAllowlist": []}),
    ("KRAKEN", {"error": ["EAPI:Invalid key"], "result": KRAKEN}),
]


@pytest.mark.parametrize(("exchange", "reply"), UNREADABLE)
def test_an_answer_that_cannot_be_read_refuses_the_key(exchange: str, reply: Any) -> None:
    refusals, warnings, rights = rights_problem(exchange, reply)

    assert "did not say what this key may do" in refusals[0]
    assert (len(refusals), warnings, rights) == (1, [], {})
