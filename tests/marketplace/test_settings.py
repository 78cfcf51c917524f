"""Settings are read once per process, so each case starts one."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from bot_sdk.configs import RiskConfig


def import_settings(**changes: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PUBLIC_URL": "https://bots.example.com"} | changes
    command = [sys.executable, "-c", "import marketplace.settings"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUPPORTED_EXCHANGES", "BINANCE,FTX"),
        ("DEFAULT_EXCHANGE", "binance"),
        ("EXCHANGE_TESTNET_MODE", "perhaps"),
        ("BOT_EXECUTION_TIMEOUT", "0"),
        ("BOT_MAX_MEMORY_MB", "lots"),
        ("BOT_MAX_CPU_PERCENT", "101"),
        ("RISK_MAX_POSITION_SIZE_PERCENT", "many"),
        ("RISK_MAX_ORDERS_PER_DAY", "0"),
        ("MARKET_DATA", "guesses"),
        ("PUBLIC_URL", "bots.example.com"),
        ("REDIS_URL", "http://cache"),
        ("DATABASE_URL", "sqlite:///db"),
        ("DATABASE_URL", "postgres://user:secret@host:port/db"),
        ("DATABASE_URL", "postgres://user:secret@host"),
        ("REDIS_URL", "redis://host:port/0"),
        ("PUBLIC_URL", "http://[bad"),
        ("EMAIL_URL", "smtp://host:port"),
        ("S3_BUCKET_NAME", "bad bucket!"),
        ("S3_ENDPOINT_URL", "garbage"),
        ("AWS_REGION", "nowhere land"),
    ],
)
def test_a_bad_setting_stops_the_start_and_names_itself(name: str, value: str) -> None:
    result = import_settings(**{name: value})

    assert result.returncode != 0
    assert f"ImproperlyConfigured: {name}: expected" in result.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together"),
        ({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s"}, "S3_BUCKET_NAME: expected"),
    ],
)
def test_half_of_the_storage_settings_is_refused(changes: dict[str, str], message: str) -> None:
    assert message in import_settings(**changes).stderr


def test_the_limits_of_the_platform_are_limits_that_there_are() -> None:
    assert RiskConfig.parse(settings.PLATFORM_RISK_LIMITS) == RiskConfig(max_orders_per_day=200)


def test_good_settings_start() -> None:
    assert import_settings().returncode == 0
