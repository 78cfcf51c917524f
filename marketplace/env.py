"""Readers for settings that come from the environment. A bad value names itself and what was expected."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")


def read_environment(process: Mapping[str, str], default_file: Path) -> dict[str, str]:
    """Return the process's variables over those of the env file.

    `ENV_FILE` names another file; empty means none. The default file is written by `make run`.
    """
    named = process.get("ENV_FILE")
    file = default_file if named is None else Path(named)
    values: dict[str, str] = {}
    if named != "" and file.is_file():
        for line in file.read_text().splitlines():
            name, separator, value = line.partition("=")
            if separator and not name.startswith("#"):
                values[name.strip()] = value.strip()
    elif named:
        raise ImproperlyConfigured(
            f"ENV_FILE: there is no file {named!r}; name an existing one or leave it empty."
        )
    return {**values, **process}


class Environment:
    """Typed access to variables; the message of an ImproperlyConfigured begins with the variable's name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def text(self, name: str, default: str | None = None, *, choices: Sequence[str] = ()) -> str:
        value = self.values.get(name, default)
        if value is None:
            raise ImproperlyConfigured(
                f"{name} is not set. Start with `make run`, or set it; the README lists all."
            )
        if choices and value not in choices:
            raise ImproperlyConfigured(f"{name}: expected one of {', '.join(choices)}, got {value!r}.")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        word = self.values.get(name, str(default)).lower()
        if word not in TRUE_WORDS + FALSE_WORDS:
            raise ImproperlyConfigured(f"{name}: expected true or false, got {word!r}.")
        return word in TRUE_WORDS

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        value = self.values.get(name, str(default))
        if not value.isdecimal() or not minimum <= int(value) <= maximum:
            raise ImproperlyConfigured(
                f"{name}: expected a whole number from {minimum} to {maximum}, got {value!r}."
            )
        return int(value)

    def optional_integer(
        self, name: str, default: int | None = None, *, minimum: int, maximum: int
    ) -> int | None:
        """Return a whole number, or None for empty text."""
        if self.values.get(name, "" if default is None else str(default)) == "":
            return None
        return self.integer(name, default or minimum, minimum=minimum, maximum=maximum)

    def optional_percent(self, name: str) -> Decimal | None:
        """Return a number above zero and up to 100, such as 12.5; None for empty text."""
        value = self.values.get(name, "")
        if value == "":
            return None
        is_number = re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", value)
        if not is_number or not 0 < Decimal(value) <= 100:
            raise ImproperlyConfigured(
                f"{name}: expected a number above 0 and up to 100, such as 12.5, or nothing; got {value!r}."
            )
        return Decimal(value)

    def listing(self, name: str, default: str, *, choices: Sequence[str] = ()) -> list[str]:
        words = [word.strip() for word in self.values.get(name, default).split(",") if word.strip()]
        unknown = [word for word in words if choices and word not in choices]
        if unknown or not words:
            got = ", ".join(unknown) or "nothing"
            raise ImproperlyConfigured(
                f"{name}: expected some of {', '.join(choices)} with commas, got {got!r}."
            )
        return words

    def url(self, name: str, default: str | None = None, *, schemes: Sequence[str]) -> str:
        value = self.text(name, default)
        try:
            parts = urlsplit(value)
            is_url = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:  # brackets that do not match, a port that is none
            is_url = False
        if not is_url:
            expected = " or ".join(f"{scheme}://host" for scheme in schemes)
            raise ImproperlyConfigured(f"{name}: expected {expected}…, got something else.")
        return value

    def pattern(self, name: str, default: str, *, allowed: str, expected: str) -> str:
        """Return text that `allowed` matches as a whole; empty is allowed where it is the default."""
        value = self.text(name, default)
        if value != default and not re.fullmatch(allowed, value):
            raise ImproperlyConfigured(f"{name}: expected {expected}, got {value!r}.")
        return value

    def database(self, name: str) -> dict[str, object]:
        value = self.url(name, schemes=("postgres", "postgresql"))
        if not urlsplit(value).path.strip("/"):
            raise ImproperlyConfigured(f"{name}: expected a database's name at the end, got none.")
        return dict(environ.Env.db_url_config(value))

    def email(self, name: str, default: str) -> dict[str, object]:
        try:
            return dict(environ.Env.email_url_config(self.text(name, default)))
        except (ImproperlyConfigured, ValueError) as error:
            raise ImproperlyConfigured(
                f"{name}: expected smtp://… or filemail:///…, got something else."
            ) from error
