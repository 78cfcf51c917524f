"""`.local/env`: the settings of this installation, made once, with secrets of its own."""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.ports import HOST, free_port

WEB_PORT = 8000
HEADER = "# Written by `make run`. Variables of the environment win over these. Keep this file to yourself.\n"
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that looks like another


def fresh_settings() -> dict[str, str]:
    """Return settings for embedded servers on free ports, with new secrets."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "VAULT_KEYS": _fresh_keys(),
        "AUDIT_KEYS": _fresh_keys(),
        "DATABASE_URL": f"postgres://marketplace:{secrets.token_hex(16)}@{HOST}:{free_port()}/marketplace",
        "REDIS_URL": f"redis://:{secrets.token_hex(16)}@{HOST}:{free_port()}/0",
        "EXCHANGE_SIMULATOR_URL": f"http://{HOST}:{free_port()}",
        "MARKET_DATA": "simulator",
        "PUBLIC_URL": f"http://{HOST}:{WEB_PORT}",
        "DEMO": "true",
        "DEMO_PASSWORD": "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3)),
    }


def _fresh_keys() -> str:
    return f"first:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def load(file: Path) -> dict[str, str]:
    """Return the file's settings; what is missing there is made and kept."""
    text = file.read_text() if file.exists() else ""
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    known = {name.strip(): value.strip() for name, separator, value in lines if separator}
    settings = fresh_settings() | known
    if settings != known:
        store(file, settings)
    return settings


def store(file: Path, settings: Mapping[str, str]) -> None:
    """Write the settings, readable by their owner only, all or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name("env.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(HEADER + "".join(f"{name}={value}\n" for name, value in settings.items()))
    fresh.rename(file)


def with_free_port(url: str) -> str:
    """Return the URL, on another port if somebody else listens on its own."""
    parts = urlsplit(url)
    wanted = parts.port or 0
    port = free_port(wanted)
    return (
        url if port == wanted else parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()
    )
