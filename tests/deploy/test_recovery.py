"""All is killed at once, the broker is empty and the database was pulled off: what runs goes on by itself."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
import redis
import requests
from django.utils import timezone

from bot_sdk.timeframes import last_closed
from deploy.local import env
from deploy.local.places import ROOT
from exchanges.models import Market
from subscriptions.models import TradingState
from subscriptions.switches import set_platform_state
from tests.factories import make_bot, make_exchange_account, make_subscription, make_user

SUBSCRIPTIONS = 200
AT_EXCHANGES = {
    "BINANCE": 5,
    "COINBASE": 5,
    "KRAKEN": 5,
}  # each with an account of its own; the others on paper
RECOVERS_WITHIN = timedelta(seconds=120)
INTO_THE_WORK = timedelta(seconds=3)  # after a candle's close: cycles run, orders are being sent
START_SECONDS = 180
SETTLE_SECONDS = 300  # Coinbase can tell for sure after 125
MINUTE = timedelta(minutes=1)

# The product of `make run`, with its state in a folder of its own.
PRODUCT = """
import sys
from pathlib import Path
from deploy.local import product
product.STATE = Path(sys.argv[1])
product.LOGS, product.ENV_FILE = product.STATE / "logs", product.STATE / "env"
product.up()
"""
INSIDE = "import django; django.setup(); from tests.deploy import test_recovery; test_recovery.{deed}()"

BOT = """
from bot_sdk import Action, CustomBot


class EveryMinute(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config=None):
        side = "SELL" if data.index[-1].minute % 2 else "BUY"
        return Action(side, data["close"].iloc[-1], "by the minute")
"""


def populate() -> None:
    """In the product: subscriptions that trade at every candle, on paper and at simulated exchanges."""
    trader, bot = make_user("rita"), make_bot(code=BOT)
    markets = {
        exchange: Market.objects.get(exchange=exchange, trading_pair="BTC/USDT") for exchange in AT_EXCHANGES
    }
    execution = {"buy_order_type": "FIXED", "buy_order_value": 50.0, "sell_order_type": "ALL"}
    for exchange, count in AT_EXCHANGES.items():
        for _ in range(count):
            url = f"{os.environ['EXCHANGE_SIMULATOR_URL']}/__sim__/{exchange.lower()}/account"
            made = requests.post(url, json={"balances": {"USDT": "10000"}}, timeout=10).json()
            account = make_exchange_account(
                trader, exchange=exchange, environment="LIVE", api_key=made["key"], secret=made["secret"]
            )
            make_subscription(
                trader, bot=bot, market=markets[exchange], account=account, execution_config=execution
            )
    for number in range(SUBSCRIPTIONS - sum(AT_EXCHANGES.values())):
        make_subscription(
            trader,
            bot=bot,
            market=list(markets.values())[number % len(markets)],
            risk_config={"take_profit_percent": 10 + number % 10},  # ten runs of the bot per market
        )


def halt() -> None:
    """In the product: have everybody order nothing more."""
    staff = make_user("nina", is_staff=True)
    set_platform_state(state=TradingState.HALTED, reason="The books are compared.", by=staff)


@dataclass
class Product:
    """A running one, and what it is reached by."""

    pid: int
    settings: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ
            | self.settings
            | {"ENV_FILE": "", "DJANGO_SETTINGS_MODULE": "marketplace.settings"},
            capture_output=True,
            text=True,
            check=False,
        )

    def inside(self, deed: Callable[[], None]) -> None:
        done = self.run("-c", INSIDE.format(deed=deed.__name__))
        assert done.returncode == 0, done.stderr

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database; while it is away, there are no rows."""
        try:
            with psycopg.connect(self.settings["DATABASE_URL"], connect_timeout=5) as connection:
                return connection.execute(query.encode(), values).fetchall()
        except psycopg.OperationalError:
            return []

    def decided(self, opened_at: datetime) -> int:
        query = (
            "SELECT count(*) FROM execution_cycle"
            " WHERE candle_opened_at = %s AND state = 'DONE' AND verdict = 'OK'"
        )
        return sum(count for (count,) in self.rows(query, opened_at))

    def is_healthy(self) -> bool:
        try:
            return requests.get(f"{self.settings['PUBLIC_URL']}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def services(self) -> dict[int, str]:
        """Return the processes that it keeps running, with their commands."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.pid:
                found[int(stat.parent.name)] = command
        return found

    def at_exchanges(self) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = []
        for exchange in AT_EXCHANGES:
            url = f"{self.settings['EXCHANGE_SIMULATOR_URL']}/__sim__/{exchange.lower()}/orders"
            orders += requests.post(url, json={}, timeout=10).json()["orders"]
        return orders


@pytest.fixture
def product() -> Iterator[Product]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database's user passes through
        own = {
            "ARTIFACTS_DIR": f"{name}/artifacts",
            "CANDLES_DIR": f"{name}/candles",
            "EMAIL_URL": "dummymail://",
        }
        outside = {name: value for name, value in os.environ.items() if name not in env.fresh_settings()}
        with (folder / "product.log").open("w") as log:
            running = subprocess.Popen(
                [sys.executable, "-c", PRODUCT, str(folder / "state")],
                cwd=ROOT,
                env=outside | own | {"EXCHANGE_TESTNET_MODE": "false", "DEMO": "false"},
                stdout=log,
                stderr=log,
            )
        try:
            eventually((folder / "state" / "env").exists, START_SECONDS)
            found = Product(
                running.pid, env.load(folder / "state" / "env") | own | {"EXCHANGE_TESTNET_MODE": "false"}
            )
            eventually(found.is_healthy, START_SECONDS)
            yield found
        finally:
            running.terminate()
            running.wait(timeout=60)
            print((folder / "product.log").read_text())


def eventually(is_so: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.2)


def wait_until(moment: datetime) -> None:
    time.sleep(max(0, (moment - timezone.now()).total_seconds()))


def kill_everything(product: Product) -> None:
    """Empty the broker, then kill all but the exchanges: web, workers, beat, broker and database."""
    with redis.Redis.from_url(product.settings["REDIS_URL"]) as broker:
        broker.flushall()
    for group, command in product.services().items():
        if "exchange_simulator" not in command:
            os.killpg(group, signal.SIGKILL)


@pytest.mark.release
def test_the_next_candle_is_done_by_itself_after_everything_was_killed(product: Product) -> None:
    product.inside(populate)
    eventually(lambda: product.decided(last_closed("1m", timezone.now())) == SUBSCRIPTIONS, START_SECONDS)
    close = last_closed("1m", timezone.now()) + 2 * MINUTE
    wait_until(close + INTO_THE_WORK)

    kill_everything(product)
    killed_at = timezone.now()
    eventually(lambda: product.decided(close) == SUBSCRIPTIONS, RECOVERS_WITHIN.total_seconds())
    recovered_at = timezone.now()

    done_before = product.decided(close - MINUTE)
    print(
        f"{done_before} of {SUBSCRIPTIONS} cycles were done when all was killed; the next candle was done"
        f" {(recovered_at - killed_at).total_seconds():.1f} s later,"
        f" {(recovered_at - close - MINUTE).total_seconds():.1f} s after its close"
    )
    assert product.is_healthy()
    product.inside(halt)
    left = "SELECT count(*) FROM execution_order WHERE state IN ('NEW', 'SENDING', 'UNKNOWN')"
    eventually(lambda: product.rows(left) == [(0,)], SETTLE_SECONDS)
    assert_books_fit(product)
    checked = product.run("manage.py", "check_invariants")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def assert_books_fit(product: Product) -> None:
    """Every order of the exchanges is ours, once, and filled as our books say; and the other way round."""
    query = """
        SELECT client_order_id::text, coalesce(sum(fill.amount), 0)
        FROM execution_order ours JOIN subscriptions_subscription agreed ON agreed.id = ours.subscription_id
        LEFT JOIN execution_fill fill ON fill.order_id = ours.id
        WHERE agreed.account_id IS NOT NULL AND ours.state NOT IN ('NOT_SENT', 'REJECTED')
        GROUP BY client_order_id
    """
    ours: dict[str, Decimal] = dict(product.rows(query))
    theirs = product.at_exchanges()
    times = Counter(order["client_id"] for order in theirs)
    assert [number for number, count in times.items() if count > 1] == []
    assert {order["client_id"]: Decimal(order["filled"]) for order in theirs} == ours
    print(f"{len(ours)} orders at exchanges: none doubled, none lost")
