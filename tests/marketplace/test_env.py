from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from marketplace.env import Environment, read_environment


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("maybe", lambda env: env.boolean("NAME", default=True)),
        ("5x", lambda env: env.integer("NAME", 1, minimum=1, maximum=9)),
        ("-1", lambda env: env.integer("NAME", 1, minimum=1, maximum=9)),
        ("10", lambda env: env.integer("NAME", 1, minimum=1, maximum=9)),
        ("0", lambda env: env.optional_integer("NAME", minimum=1, maximum=9)),
        (" ", lambda env: env.optional_integer("NAME", minimum=1, maximum=9)),
        ("off", lambda env: env.optional_percent("NAME")),
        ("0.0", lambda env: env.optional_percent("NAME")),
        ("-5", lambda env: env.optional_percent("NAME")),
        ("100.1", lambda env: env.optional_percent("NAME")),
        ("1e1", lambda env: env.optional_percent("NAME")),
        ("NaN", lambda env: env.optional_percent("NAME")),
        ("5 %", lambda env: env.optional_percent("NAME")),
        ("٥", lambda env: env.optional_percent("NAME")),
        ("BINANCE,FTX", lambda env: env.listing("NAME", "", choices=["BINANCE", "KRAKEN"])),
        (",", lambda env: env.listing("NAME", "", choices=["BINANCE"])),
        ("binance", lambda env: env.text("NAME", choices=["BINANCE"])),
        ("ftp://host", lambda env: env.url("NAME", schemes=["http", "https"])),
        ("http://", lambda env: env.url("NAME", schemes=["http"])),
        ("sqlite:///x", lambda env: env.database("NAME")),
        ("pigeon://x", lambda env: env.email("NAME", "")),
    ],
)
def test_a_bad_value_names_its_variable(value: str, read: Callable[[Environment], Any]) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^NAME: expected"):
        read(Environment({"NAME": value}))


def test_a_missing_variable_without_default_says_what_to_do() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"NAME is not set\. Start with `make run`"):
        Environment({}).text("NAME")


def test_a_secret_in_a_bad_url_is_not_repeated() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        Environment({"DATABASE_URL": "mysql://user:hunter2@host/db"}).database("DATABASE_URL")

    assert "hunter2" not in str(caught.value)


def test_good_values_are_read() -> None:
    env = Environment({"YES": "On", "NUMBER": "7", "WORDS": "A, B"})

    assert env.boolean("YES", default=False) is True
    assert env.boolean("ABSENT", default=False) is False
    assert env.integer("NUMBER", 1, minimum=1, maximum=9) == 7
    assert env.listing("WORDS", "", choices=["A", "B"]) == ["A", "B"]


def test_a_limit_is_a_number_or_off() -> None:
    env = Environment({"PERCENT": "12.5", "ALL": "100", "COUNT": "7", "EMPTY": ""})

    assert env.optional_percent("PERCENT") == Decimal("12.5")
    assert env.optional_percent("ALL") == 100
    assert env.optional_percent("EMPTY") is env.optional_percent("ABSENT") is None
    assert env.optional_integer("COUNT", 5, minimum=1, maximum=9) == 7
    assert env.optional_integer("ABSENT", 5, minimum=1, maximum=9) == 5
    assert env.optional_integer("EMPTY", 5, minimum=1, maximum=9) is None


def test_the_process_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\nA=file\nB=file with = sign\n\n")

    values = read_environment({"A": "process"}, file)

    assert (values["A"], values["B"]) == ("process", "file with = sign")


def test_an_empty_env_file_variable_means_no_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=file\n")

    assert "A" not in read_environment({"ENV_FILE": ""}, file)


def test_a_named_env_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="ENV_FILE: there is no file"):
        read_environment({"ENV_FILE": str(tmp_path / "absent")}, tmp_path / "env")
