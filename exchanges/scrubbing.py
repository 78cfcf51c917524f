"""Take credentials out of what an exchange or ccxt says before anybody keeps it."""

import re
from collections.abc import Iterable
from urllib.parse import quote

from bot_sdk.text import printable

_HIDDEN = "[hidden]"
_NAMES = r"X-MBX-APIKEY|API-Sign|API-Key|CB-ACCESS-\w+|apiKey|signature|secret"
_PATTERNS = (
    (re.compile(r"-----BEGIN .*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL), _HIDDEN),
    (re.compile(r"\b(Bearer)\s+[^\s'\",;}]+", re.IGNORECASE), rf"\1 {_HIDDEN}"),
    (re.compile(rf"\b({_NAMES})(['\"]?\s*[:=]\s*b?['\"]?)[^\s'\"&,;}})]+", re.IGNORECASE), rf"\1\2{_HIDDEN}"),
)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without signatures, keys, tokens and key files, fit for a database and a page.

    `secrets` are hidden wherever they stand, also as an address or JSON writes them.
    """
    for secret in secrets:
        for written in (secret, quote(secret, safe=""), secret.replace("/", r"\/")):
            text = text.replace(written, _HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return printable(text)
