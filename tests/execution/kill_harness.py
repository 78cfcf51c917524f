"""Workers that die in the middle of an order, as often as one likes, and others that clean up after them.

A warm process forks a child for each deed. A child counts its steps: every statement and commit, every
request that leaves, and every answer. It kills itself at the step it was told, or its parent kills it at
some moment. Both go through the platform's own operations; the hooks are put around them in the child only.
"""

import gc
import json
import math
import os
import random
import signal
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import requests.adapters
import urllib3.connection
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone

from bot_sdk.risk import Signal
from bots.models import Bot
from exchanges.gateway import Ticker
from exchanges.gateways import exchange_gateway, public_gateway, shared_redis
from exchanges.markets import refresh_markets
from exchanges.models import Market
from exchanges.simulator.server import serve
from execution import orders, settling, tasks, wave
from execution.models import Cycle, Order, Position
from execution.orders import Intent, book, client_order_id, fold, place_order, position_of
from subscriptions.models import Subscription
from tests.exchanges.simulated import PAIR, Simulator
from tests.factories import NOON, make_bot, make_cycle, make_exchange_account, make_subscription, make_user

ORDER_PATHS = {
    "BINANCE": "POST /api/v3/order",
    "COINBASE": "POST /api/v3/brokerage/orders",
    "KRAKEN": "POST /0/private/AddOrder",
}
AMOUNT = Decimal("0.001")
SEND_SECONDS = 0.8  # between an order's claim and the moment after which it leaves no more
LATEST_LANDING_SECONDS = 0.6
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "late"},
    {"kind": "late"},
    {"kind": "drop", "when": "after"},
    {"kind": "drop"},
    {"kind": "status", "when": "after"},
    {"kind": "garbage", "when": "after"},
)
AT_ONCE = 3  # children
EPITAPHS = "epitaphs"
KILLED_AGAIN = 0.8  # of those who clean up, while they are killed at all
PASSES_WITH_KILLS = 3
MOST_PASSES = 40


class Steps:
    """What this process does to the world, counted; at the chosen step it is no more."""

    def __init__(self, last: int | str | None, epitaphs: Path) -> None:
        self._last = last
        self._epitaphs = epitaphs
        self._request = ""
        self.names: list[str] = []

    def reach(self, name: str) -> None:
        self.names.append(name)
        if self._last in (len(self.names), name):
            with self._epitaphs.open("a") as file:
                file.write(f"{name}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Count from now on. There is no way back: the process is a child that ends soon."""
        commit = connection._commit  # type: ignore[attr-defined]
        send = requests.adapters.HTTPAdapter.send
        get_answer = urllib3.connection.HTTPConnection.getresponse

        def statement(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            self.reach(f"before {_gist(sql)}")
            return execute(sql, *rest)

        def commit_counted() -> None:
            self.reach("before a commit")
            commit()
            self.reach("after a commit")

        def send_counted(adapter: Any, request: Any, *args: Any, **options: Any) -> Any:
            name = f"{request.method} {request.path_url.partition('?')[0]}"
            self._request = name
            self.reach(f"before {name}")
            response = send(adapter, request, *args, **options)
            self.reach(f"answered: {name}")
            return response

        def get_answer_counted(sent: Any) -> Any:
            self.reach(f"left: {self._request}")
            return get_answer(sent)

        connection.execute_wrappers.append(statement)
        for where, name, counted in (
            (connection, "_commit", commit_counted),
            (requests.adapters.HTTPAdapter, "send", send_counted),
            (urllib3.connection.HTTPConnection, "getresponse", get_answer_counted),
        ):
            setattr(where, name, counted)


def _gist(sql: str) -> str:
    words = sql.split()
    tables = [word.strip('"') for word in words if word.startswith('"execution_') and "." not in word]
    return " ".join([words[0], *tables[:1]])


@dataclass(frozen=True)
class Job:
    """One order to be placed, once."""

    subscription: int
    cycle: int
    moment_at: datetime
    side: str
    ticker: Ticker

    @property
    def client_id(self) -> str:
        return str(client_order_id(self.subscription, self.moment_at))

    def intent(self) -> Intent:
        subscription = Subscription.objects.with_names().get(pk=self.subscription)
        signal = Signal(action=self.side, amount=AMOUNT, reason="because", source="bot", skip=None)
        return Intent(
            subscription=subscription,
            signal=signal,
            moment_at=self.moment_at,
            sized_for=position_of(subscription).holding,
            fresh_until=timezone.now() + timedelta(seconds=SEND_SECONDS),
            cycle=Cycle.objects.get(pk=self.cycle),
        )


def place(job: Job) -> None:
    """Place it as the platform does."""
    intent = job.intent()
    account = intent.subscription.account
    assert account is not None
    with exchange_gateway(account, intent.subscription.market, job.ticker) as gateway:
        place_order(intent, gateway)


def place_before_writing_down(job: Job) -> None:
    """Place it as one would without a thought of death: what is written down is done, all else is to do."""
    if Order.objects.filter(client_order_id=job.client_id).exists():
        return
    intent = job.intent()
    account = intent.subscription.account
    assert account is not None
    with exchange_gateway(account, intent.subscription.market, job.ticker) as gateway:
        report = gateway.create_market_order(PAIR, job.side, AMOUNT, job.client_id)
    with transaction.atomic():
        order = orders._record(intent)
        order.sent_at = order.send_by = timezone.now()
        order.save()
        book(order=order, report=report)


def clean_up(places: list[tuple[int, int]]) -> None:
    """Do what the platform does every some seconds about what dead workers left."""
    wave.sweep(timezone.now())
    for account, market in places:
        tasks.look_after_orders_at(account, market)


@dataclass(frozen=True)
class Shift:
    """One worker's deed, and when it dies: at a step, by number or name, or so many seconds on, or not."""

    deed: Callable[[], None]
    die_at: int | str | None = None
    die_after: float = math.inf


@dataclass
class Tally:
    """What one run did, and what it broke."""

    jobs: int = 0
    kills: int = 0
    kills_cleaning_up: int = 0
    seconds: float = 0
    died_at: Counter[str] = field(default_factory=Counter)  # of those who died at a step
    duplicates: int = 0
    orphans: int = 0
    phantoms: int = 0  # in our books only
    unfinished: int = 0
    wrong_positions: int = 0

    @property
    def breaches(self) -> dict[str, int]:
        kinds = ("duplicates", "orphans", "phantoms", "unfinished", "wrong_positions")
        return {kind: getattr(self, kind) for kind in kinds if getattr(self, kind)}

    def __str__(self) -> str:
        pace = f", {self.kills / self.seconds:.1f} kills/s over {self.seconds:.0f} s" if self.seconds else ""
        return (
            f"{self.jobs} orders, {self.kills} kills ({self.kills_cleaning_up} of who cleaned up) at "
            f"{len(self.died_at)} kinds of steps{pace}; breaches: {self.breaches or 'none'}"
        )


class Ward:
    """Accounts at one simulated exchange, and the workers that live and die for them."""

    def __init__(self, simulator: Simulator, exchange: str, folder: Path, rng: random.Random) -> None:
        self.simulator, self.exchange, self.rng = simulator, exchange, rng
        self._folder = folder
        self.tally = Tally()
        self._name = exchange.lower()
        self._moments = 0
        refresh_markets(exchange)
        self._market = Market.objects.get(exchange=exchange, trading_pair=PAIR)
        self._ticker = public_gateway(exchange).fetch_ticker(PAIR)
        simulator.control(self._name, "price", pair=PAIR, price=str(self._ticker.last))
        self._bot: Bot = make_bot()
        self._accounts: list[Subscription] = []
        self._keys: set[str] = set()

    def open_accounts(self, count: int) -> None:
        owner = make_user(f"{self._name}-{uuid.uuid4().hex[:8]}")
        for _ in range(count):
            keys = self.simulator.trader(self.exchange, balances={"USDT": "1000000", "BTC": "10"}).credentials
            self._keys.add(keys.api_key)
            account = make_exchange_account(
                owner, exchange=self.exchange, environment="LIVE", api_key=keys.api_key, secret=keys.secret
            )
            self._accounts.append(
                make_subscription(owner, bot=self._bot, account=account, market=self._market)
            )
        orders.read_positions(self._accounts)

    def warm_up(self) -> None:
        """Do it once in this process, so that children find everything compiled and loaded."""
        [first, *_] = self.jobs()
        place(first)
        clean_up([])
        self.recover()
        gc.collect()
        gc.freeze()

    def jobs(self) -> list[Job]:
        """Return a new order to be placed on each account."""
        self._moments += 1
        moment_at = NOON + timedelta(minutes=self._moments)
        held = dict(Position.objects.values_list("subscription", "base_amount"))
        made = []
        for subscription in self._accounts:
            cycle = make_cycle(
                subscription,
                state=Cycle.State.RUNNING,
                candle_opened_at=moment_at - timedelta(minutes=1),
                candle_closed_at=moment_at,
            )
            can_sell = held[subscription.pk] >= AMOUNT
            side = self.rng.choice(["BUY", "SELL"] if can_sell else ["BUY"])
            made.append(Job(subscription.pk, cycle.pk, moment_at, side, self._ticker))
        return made

    def steps_of(self, deed: Callable[[], None]) -> list[str]:
        """Return the steps of a deed that nobody disturbs, having done it."""
        path = self._folder / uuid.uuid4().hex

        def write_down(steps: Steps) -> None:
            deed()
            path.write_text(json.dumps(steps.names))

        _, status = os.waitpid(self._fork(write_down), 0)
        assert status == 0, "a worker failed; its traceback is above"
        steps: list[str] = json.loads(path.read_text())
        return steps

    def run(self, shifts: Iterable[Shift]) -> int:
        """Have children do it, some at a time; return how many died."""
        before = self.tally.kills
        running: dict[int, float] = {}
        for shift in shifts:
            while len(running) >= AT_ONCE:
                self._look_after(running)
            child = self._fork(partial(_do, shift.deed), shift.die_at)
            running[child] = time.monotonic() + shift.die_after
        while running:
            self._look_after(running)
        return self.tally.kills - before

    def _look_after(self, running: dict[int, float]) -> None:
        """Kill those whose moment has come, and bury the dead."""
        for child, ends_at in list(running.items()):
            if time.monotonic() >= ends_at:
                os.kill(child, signal.SIGKILL)
                running[child] = math.inf
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                del running[child]
                self._count(status)
        time.sleep(0.001)

    def break_next_order(self, fault: dict[str, Any] | None) -> None:
        """Have the exchange do so to the next order, and to no later one."""
        self.simulator.control(self._name, "fault")
        if fault is not None:
            if fault["kind"] == "late":
                fault = {"seconds": self.rng.uniform(0.05, LATEST_LANDING_SECONDS), **fault}
            self.simulator.control(self._name, "fault", match=ORDER_PATHS[self.exchange], **fault)

    def recover(self, steps: int = 0) -> None:
        """Clean up until nothing is left; at first, with `steps`, those who do so are killed as well."""
        Cycle.objects.filter(state=Cycle.State.RUNNING).update(lease_until=timezone.now())
        for number in range(MOST_PASSES):
            self.forget_pace()
            places = settling.places()
            if steps and number < PASSES_WITH_KILLS:
                shifts = [Shift(partial(clean_up, [place]), self._some(steps)) for place in places]
                self.tally.kills_cleaning_up += self.run(shifts)
            else:
                self.run([Shift(partial(clean_up, places))])
            is_open = Order.objects.filter(state__in=["NEW", "SENDING", "OPEN", "UNKNOWN"]).exists()
            if not is_open and not Cycle.objects.filter(state=Cycle.State.RUNNING).exists():
                return
            time.sleep(0.1)

    def _some(self, steps: int) -> int | None:
        return self.rng.randint(1, steps) if self.rng.random() < KILLED_AGAIN else None

    def forget_pace(self) -> None:
        """Let each key have its whole burst again: the exchange's pace is not what is tried here."""
        for key in shared_redis().scan_iter("rate:*:key:*"):
            shared_redis().delete(key)

    def compare_books(self) -> Tally:
        """Count where the exchange's books and ours differ."""
        tally = self.tally
        epitaphs = self._folder / EPITAPHS
        tally.died_at = Counter(epitaphs.read_text().splitlines() if epitaphs.exists() else [])
        listed = self.simulator.control(self._name, "orders")["orders"]
        theirs = [row for row in listed if row["key"] in self._keys]
        times = Counter(row["client_id"] for row in theirs)
        tally.duplicates = sum(count - 1 for count in times.values())
        rows = Order.objects.filter(subscription__in=self._accounts).prefetch_related("fills")
        ours = {str(row.client_order_id): row for row in rows}
        lost = [row for row in theirs if not _is_known(row, ours.get(row["client_id"]))]
        tally.orphans = len(lost)
        tally.phantoms = sum(row.state == "FILLED" and number not in times for number, row in ours.items())
        tally.unfinished = sum(not row.is_final for row in ours.values())
        for subscription in self._accounts:
            fills = [
                fill for row in rows if row.subscription_id == subscription.pk for fill in row.fills.all()
            ]
            left = fold(subscription, fills)
            tally.wrong_positions += Position.objects.get(subscription=subscription).holding != left
        return tally

    def _fork(self, deed: Callable[[Steps], None], die_at: int | str | None = None) -> int:
        connections.close_all()  # no child speaks on a connection of its parent
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            settings.EGRESS_ADDRESS = uuid.uuid4().hex
            steps = Steps(die_at, self._folder / EPITAPHS)
            steps.install()
            deed(steps)
            status = 0
        except BaseException:  # noqa: BLE001 - a child says what it was, and returns to nobody
            traceback.print_exc()
        finally:
            os._exit(status)

    def _count(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, -signal.SIGKILL), f"a worker ended with {code}; its traceback is above"
        self.tally.kills += code != 0


def _do(deed: Callable[[], None], _steps: Steps) -> None:
    deed()


def _is_known(theirs: dict[str, Any], ours: Order | None) -> bool:
    """Whether our books tell of an order what the exchange's tell."""
    if ours is None or ours.state != theirs["state"]:
        return False
    fills = ours.fills.all()
    said = [sum(getattr(fill, what) for fill in fills) for what in ("amount", "cost", "fee")]
    return said == [Decimal(theirs[what]) for what in ("filled", "cost", "fee")]


@contextmanager
def simulator_beside() -> Iterator[Simulator]:
    """Run the simulator in a process of its own, so that the one that forks has a single thread."""
    url_read, url_write = os.pipe()
    end_read, end_write = os.pipe()
    child = os.fork()
    if not child:
        os.close(end_write)
        with serve(seed=7, has_limits=False) as url:
            os.write(url_write, url.encode())
            os.read(end_read, 1)
        os._exit(0)
    os.close(end_read)
    try:
        yield Simulator(os.read(url_read, 100).decode())
    finally:
        os.close(end_write)
        os.waitpid(child, 0)
        os.close(url_read)
        os.close(url_write)
