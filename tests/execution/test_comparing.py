"""How many of a subscription's decisions another version of its bot would have made otherwise."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bots.models import BotVersion
from bots.publishing import publish_version
from exchanges.gateways import public_gateway
from exchanges.models import Market
from execution import comparing, reruns
from execution.cycle import view_market
from execution.errors import RerunError
from execution.models import Comparison, Cycle, Order
from subscriptions import changing
from subscriptions.models import Subscription
from tests.execution.test_settling import simulator
from tests.execution.waves import HEADER, RAISING_BOT, decide, hourly, market, opened_at
from tests.factories import BUYING_BOT, make_bot, trader_of

__all__ = ["market", "opened_at", "simulator"]  # fixtures

pytestmark = pytest.mark.django_db

CANDLES = 6
BY_HOUR = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        return Action('BUY' if d.index[-1].hour % 2 else 'HOLD', 1.0, 'by the hour')\n"
)
BY_ACCOUNT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        return Action('HOLD' if self.get_position()['base_amount'] else 'BUY', 1.0, 'by account')\n"
)


@pytest.fixture
def decided(market: Market, opened_at: datetime, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    """A subscription that bought at six candles, beside one that went by the hour at the same."""
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", 100.0)
    subscriptions = [hourly(market), hourly(market, bot=make_bot(code=BY_HOUR))]
    gateway = public_gateway(market.exchange)
    for age in range(CANDLES - 1, -1, -1):
        decide(view_market(market, "1h", opened_at - age * timedelta(hours=1), gateway), *subscriptions)
    return subscriptions[0]


def compared(subscription: Subscription, code: str, number: str = "v1.1.0") -> dict[str, Any]:
    publish_version(bot=subscription.bot, number=number, code=code, parameters=())
    version = BotVersion.objects.get(bot=subscription.bot, number=number)
    asked = reruns.ask_for_comparison(
        subscription=subscription, version=version, person=trader_of(subscription)
    )
    comparing.run(asked.pk)
    found = Comparison.objects.get(pk=asked.pk)
    assert (found.state, found.message) == (Comparison.State.DONE, "")
    result: dict[str, Any] = found.result
    return result


def test_the_same_code_decides_nothing_otherwise(decided: Subscription) -> None:
    result = compared(decided, BUYING_BOT + "\n# another file")

    assert (result["asked"], result["different"], result["failed"]) == (CANDLES, 0, 0)
    assert (result["changes"], result["examples"], result["has_asked_account"]) == ([], [], False)


def test_what_differs_is_what_the_version_really_said_at_these_candles(decided: Subscription) -> None:
    other = Cycle.objects.exclude(subscription=decided)
    held = other.filter(action="HOLD").count()
    orders = Order.objects.count()

    result = compared(decided, BY_HOUR)

    assert 0 < held < CANDLES
    assert (result["asked"], result["different"]) == (CANDLES, held)
    assert result["changes"] == [["BUY", "HOLD", held]]
    newest = Cycle.objects.of(decided).filter(
        candle_opened_at__in=other.filter(action="HOLD").values("candle_opened_at")
    )
    assert [each["cycle"] for each in result["examples"]] == [cycle.pk for cycle in newest]
    assert Order.objects.count() == orders


def test_a_version_that_fails_or_asks_about_the_account_is_told_apart(decided: Subscription) -> None:
    failing = compared(decided, RAISING_BOT)
    asking = compared(decided, BY_ACCOUNT, "v1.2.0")

    assert (failing["different"], failing["failed"], failing["changes"]) == (
        0,
        CANDLES,
        [["BUY", "", CANDLES]],
    )
    assert "ZeroDivisionError" in failing["examples"][0]["reason"]
    assert (asking["has_asked_account"], asking["different"]) == (True, CANDLES - 1)


def test_a_comparison_is_made_once_for_a_candle_and_settings(decided: Subscription) -> None:
    compared(decided, BY_HOUR)
    version, person = BotVersion.objects.get(number="v1.1.0"), trader_of(decided)

    again = reruns.ask_for_comparison(subscription=decided, version=version, person=person)
    assert again.state == Comparison.State.DONE
    documents = decided.documents | {"risk_config": {"stop_loss_percent": 3.0}}
    changed = changing.change(subscription=decided, revision=0, **documents)

    assert reruns.comparison_of(changed, version) is None
    waiting = reruns.ask_for_comparison(subscription=changed, version=version, person=person)
    changing.change(subscription=changed, revision=1, **documents | {"risk_config": {}})
    comparing.run(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.message) == (Comparison.State.FAILED, comparing.CHANGED_MEANWHILE)


def test_another_capital_asks_for_another_comparison(decided: Subscription) -> None:
    compared(decided, BY_HOUR)
    version = BotVersion.objects.get(number="v1.1.0")
    assert reruns.comparison_of(decided, version) is not None

    decided.allocated_capital *= 2

    assert reruns.comparison_of(decided, version) is None


def test_a_version_that_staff_pull_meanwhile_is_not_run(decided: Subscription) -> None:
    publish_version(bot=decided.bot, number="v1.1.0", code=BY_HOUR, parameters=())
    version = BotVersion.objects.get(number="v1.1.0")
    asked = reruns.ask_for_comparison(subscription=decided, version=version, person=trader_of(decided))
    BotVersion.objects.filter(pk=version.pk).update(state=BotVersion.State.PULLED)

    comparing.run(asked.pk)

    asked.refresh_from_db()
    assert asked.state == Comparison.State.FAILED
    assert "pulled by staff" in asked.message


def test_without_a_decision_there_is_nothing_to_compare(market: Market) -> None:
    subscription = hourly(market)

    with pytest.raises(RerunError, match="decided nothing"):
        reruns.ask_for_comparison(
            subscription=subscription, version=subscription.version, person=trader_of(subscription)
        )
