"""I7: whatever bots and people do on one account, once compared the coins are there or the bots stand."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import Sum

from exchanges.errors import OrderRejected
from execution import reconciling
from execution.invariants import find_breaches
from execution.models import Position
from execution.orders import position_of
from execution.reconciling import reconcile
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.exchanges.simulated import PAIR, Simulator, Trader
from tests.execution.proof import new_seed
from tests.execution.test_reconciling import account_of, holds
from tests.execution.test_settling import AMOUNT, EXCHANGES, place, simulator, subscribed

__all__ = ["simulator"]  # a fixture

pytestmark = pytest.mark.django_db

Deed = Callable[["Scene"], None]


class Scene:
    """Two bots and their trader on one account that has just enough."""

    def __init__(self, simulator: Simulator, exchange: str, seed: int) -> None:
        self.chance = random.Random(seed)
        self.trader: Trader = simulator.trader(exchange)
        holds(self.trader, USDT="4000", BTC="0")
        first = subscribed(self.trader)
        self.bots = [first, subscribed(self.trader, account=first.account)]
        self.age = 10_000

    def bot_buys(self) -> None:
        self._order("BUY")

    def bot_sells(self) -> None:
        self._order("SELL")

    def person_trades(self) -> None:
        side = self.chance.choice(["BUY", "SELL"])
        if side == "BUY" or self.trader.totals().get("BTC", Decimal(0)) >= AMOUNT:
            with suppress(OrderRejected):  # too little money
                self.trader.trading().create_market_order(PAIR, side, AMOUNT, str(uuid4()))

    def person_withdraws(self) -> None:
        self._transfer(Decimal(self.chance.choice(["0.5", "0.999", "0"])))

    def person_deposits(self) -> None:
        self._transfer(Decimal(self.chance.choice(["1.5", "1.001"])))

    def person_resumes(self) -> None:
        for bot in Subscription.objects.filter(state=Subscription.State.PAUSED):
            lifecycle.resume(subscription=bot)

    def _order(self, side: str) -> None:
        self.age -= 1
        bot = Subscription.objects.get(pk=self.chance.choice(self.bots).pk)
        if side == "BUY" or position_of(bot).base_amount >= AMOUNT:
            place(bot, side, age=self.age)

    def _transfer(self, factor: Decimal) -> None:
        totals = self.trader.totals()
        asset = self.chance.choice(["USDT", "BTC"])
        moved = round(totals.get(asset, Decimal(0)) * factor, 8)
        holds(self.trader, **{each: f"{total:f}" for each, total in (totals | {asset: moved}).items()})

    def broken_promises(self) -> Iterator[str]:
        """What I7 forbids, in words of its own and by the exchange's own figures."""
        totals, step = self.trader.totals(), self.bots[0].market.amount_step
        claimed = Position.objects.aggregate(base=Sum("base_amount"))["base"] or Decimal(0)
        if claimed - totals.get("BTC", Decimal(0)) > step:
            yield from (
                f"{bot} runs on {bot.position.base_amount} BTC of {claimed}, there are {totals.get('BTC')}"
                for bot in Subscription.objects.filter(state="ACTIVE", position__base_amount__gt=0)
            )


DEEDS: list[Deed] = [
    Scene.bot_buys,
    Scene.bot_buys,
    Scene.bot_sells,
    Scene.person_trades,
    Scene.person_withdraws,
    Scene.person_deposits,
    Scene.person_resumes,
]


def play(scene: Scene, steps: int, compare: Callable[[Scene], None]) -> list[str]:
    """Do so many things at random and compare after each; return which promises were broken."""
    broken: list[str] = []
    for _ in range(steps):
        scene.chance.choice(DEEDS)(scene)
        compare(scene)
        broken += scene.broken_promises()
    return broken


def by_the_book(scene: Scene) -> None:
    before = scene.trader.orders()
    done = reconcile(account_of(scene.bots[0]))
    assert done.is_judged
    assert scene.trader.orders() == before  # it orders nothing


def not_at_all(scene: Scene) -> None:
    """The control: nobody compares."""


@pytest.fixture(autouse=True)
def second_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "SECOND_LOOK_SECONDS", 0)


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("steps", [5, pytest.param(200, marks=pytest.mark.release)])
def test_no_bot_runs_on_coins_that_are_not_there(simulator: Simulator, exchange: str, steps: int) -> None:
    assert play(Scene(simulator, exchange, new_seed()), steps, by_the_book) == []

    assert {breach.rule for breach in find_breaches()} <= {"stale is not sent"}  # candles of long ago


def test_without_comparisons_bots_do_run_on_coins_that_are_not_there(simulator: Simulator) -> None:
    assert play(Scene(simulator, "BINANCE", seed=1), 30, not_at_all) != []
