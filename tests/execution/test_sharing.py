"""Who shares a run: whose bot was asked the same, and nobody else."""

from decimal import Decimal

import pytest
from pytest_django.fixtures import Settings

from bots.models import BotVersion
from execution.cycle import MarketView
from execution.models import Cycle
from tests.execution.test_settling import simulator
from tests.execution.waves import CHOOSING_BOT, HEADER, decide, hourly, market, opened_at, view
from tests.factories import make_bot

__all__ = ["market", "opened_at", "simulator", "view"]  # fixtures

pytestmark = pytest.mark.django_db

ASKING_BOT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        return Action('HOLD', 1.0, str(self.get_balance('USDT')))\n"
)


def runs_of(cycles: list[Cycle]) -> int:
    """How many runs there were: each took its own time."""
    return len({cycle.bot_seconds for cycle in cycles})


def test_those_who_ask_the_same_share_one_run(view: MarketView, fresh: None) -> None:
    bot = make_bot()
    subscriptions = [hourly(view.market, bot=bot) for _ in range(5)]

    cycles = decide(view, *subscriptions)

    assert runs_of(cycles) == 1
    assert {cycle.is_shared for cycle in cycles} == {True}
    assert {(cycle.action, cycle.reason) for cycle in cycles} == {("BUY", "always buys")}
    assert len({cycle.inputs for cycle in cycles}) == 1
    hashes = {"code", "models", "configuration", "window", "runtime"}
    assert cycles[0].receipt.keys() == hashes | {"runtime_name", "candles"}


def test_sharing_changes_no_decision_and_never_crosses_inputs(view: MarketView, fresh: None) -> None:
    bot = make_bot(code=CHOOSING_BOT)
    risks = [{"stop_loss_percent": 5.0}, {"stop_loss_percent": 6.0}]
    subscriptions = [
        hourly(view.market, bot=bot, strategy_config={"length": length}, risk_config=risk)
        for length in (1, 2, 3)
        for risk in risks
        for _ in range(2)
    ]

    together = decide(view, *subscriptions)
    Cycle.objects.all().delete()
    alone = [decide(view, subscription)[0] for subscription in subscriptions]

    assert runs_of(together) == 6
    for cycle in together:
        twin = next(each for each in alone if each.subscription_id == cycle.subscription_id)
        said = (cycle.action, cycle.value, cycle.reason, cycle.log, cycle.inputs)
        assert said == (twin.action, twin.value, twin.reason, twin.log, twin.inputs)
        assert cycle.reason == f"length {cycle.subscription.strategy_config['length']}"
        assert (cycle.is_shared, twin.is_shared) == (True, False)


def test_choices_that_the_platform_makes_equal_share_one_run(
    view: MarketView, fresh: None, settings: Settings
) -> None:
    settings.PLATFORM_RISK_LIMITS = {"stop_loss_percent": Decimal(5)}
    bot = make_bot(code=CHOOSING_BOT)
    subscriptions = [
        hourly(view.market, bot=bot, strategy_config={"length": 1}, risk_config=risk)
        for risk in ({"stop_loss_percent": 9.0}, {"stop_loss_percent": 5.0}, {}, {"stop_loss_percent": 4.0})
    ]

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, *subscriptions)}

    *equal, stricter = [cycles[subscription.pk] for subscription in subscriptions]
    assert runs_of(equal) == len({cycle.inputs for cycle in equal}) == 1
    assert all("{'stop_loss_percent': 5.0}" in cycle.log for cycle in equal)
    assert "{'stop_loss_percent': 4.0}" in stricter.log
    assert stricter.inputs != equal[0].inputs


def test_a_bot_that_asks_about_the_account_is_run_for_each(view: MarketView, fresh: None) -> None:
    bot = make_bot(code=ASKING_BOT)
    subscriptions = [
        hourly(view.market, bot=bot, allocated_capital=Decimal(capital)) for capital in (500, 700, 900)
    ]

    cycles = decide(view, *subscriptions)

    assert runs_of(cycles) == 3
    assert {cycle.subscription_id: cycle.reason for cycle in cycles} == {
        subscription.pk: str(float(subscription.allocated_capital)) for subscription in subscriptions
    }
    assert cycles[0].asked[0]["question"] == "balance"
    assert not any(cycle.is_shared for cycle in cycles)


KEEPING_BOT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        import bot_sdk\n"
    "        seen, bot_sdk.seen = getattr(bot_sdk, 'seen', 'nobody'), str(self.config['length'])\n"
    "        return Action('HOLD', 1.0, f'{self.config['length']} after {seen}')\n"
)


@pytest.mark.parametrize(
    ("switches", "processes"), [((True, True), 1), ((True, False), 3), ((False, True), 3)]
)
def test_only_where_allowed_a_stateless_version_answers_for_several_settings(
    view: MarketView,
    fresh: None,
    settings: Settings,
    switches: tuple[bool, bool],
    processes: int,
) -> None:
    bot = make_bot(code=KEEPING_BOT)
    settings.BOT_BATCHES, is_stateless = switches
    BotVersion.objects.update(is_stateless=is_stateless)
    subscriptions = [hourly(view.market, bot=bot, strategy_config={"length": n}) for n in (1, 2, 3)]

    cycles = decide(view, *subscriptions)

    assert {cycle.verdict for cycle in cycles} == {"OK"}
    assert sum("after nobody" in cycle.reason for cycle in cycles) == processes


@pytest.mark.parametrize("trouble", ["self.get_balance('USDT')", "1 / (self.config['length'] - 2)"])
def test_what_a_batch_does_not_answer_is_asked_alone(
    view: MarketView, fresh: None, settings: Settings, trouble: str
) -> None:
    settings.BOT_BATCHES = True
    code = (
        HEADER
        + f"    def execute_algorithm(self, d, t, s=None):\n        {trouble}\n"
        + "        return Action('HOLD', 1.0, str(self.config['length']))\n"
    )
    bot = make_bot(code=code)
    BotVersion.objects.update(is_stateless=True)
    subscriptions = [hourly(view.market, bot=bot, strategy_config={"length": n}) for n in (1, 2, 3)]

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, *subscriptions)}

    expected = ["OK", "OK", "OK"] if "balance" in trouble else ["OK", "FAILED", "OK"]
    assert [cycles[subscription.pk].verdict for subscription in subscriptions] == expected
