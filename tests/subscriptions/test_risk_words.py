"""What a trader is told of a loss before it happens; the figures are tested in `bot_sdk`."""

from decimal import Decimal
from typing import Any

import pytest

from bot_sdk.configs import RiskConfig
from exchanges.models import ExchangeAccount, Market
from subscriptions.risk_words import AS_AT_A_START, risk_sentences

MARKET = Market(
    trading_pair="BTC/USDT",
    quote="USDT",
    price_tick=Decimal("0.01"),
    amount_step=Decimal("0.00001"),
    minimum_amount=Decimal(0),
    minimum_cost=Decimal(5),
    taker_fee_fraction=Decimal("0.001"),
)


def said(account: ExchangeAccount | None = None, **limits: Any) -> str:
    risk = RiskConfig.parse(limits)
    sentences = risk_sentences(capital=Decimal(10_000), risk=risk, market=MARKET, account=account)
    return " ".join(sentences).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_the_proposed_limits_in_words() -> None:
    words = said(stop_loss_percent=5, take_profit_percent=10, max_position_size=20)

    assert words.startswith(
        "You can lose about 102.00 USDT on one position, fees included: it costs at most 2 002.00 USDT, and "
        "a stop loss of 5 % sells it. No limit holds for a day: the losses of several positions add up. "
        "Nothing halts trading after many losses: all of 10 000.00 USDT can be lost. It can be more:"
    )
    assert words.endswith("none of it is real money.")


def test_without_a_stop_all_of_a_position_can_be_lost() -> None:
    assert "You can lose all of a position, about 2 002.00 USDT" in said(max_position_size=20)


def test_a_day_and_a_halt_have_their_figures() -> None:
    words = said(stop_loss_percent=5, max_position_size=20, max_daily_loss_percent=3, max_drawdown_percent=25)

    assert "about 402.00 USDT in a day: after a loss of 300.00 USDT nothing is bought" in words
    assert "Trading halts at 7 500.00 USDT, or 25 % below the highest" in words


def test_a_halt_alone_bounds_the_day() -> None:
    words = said(max_drawdown_percent=25)

    assert "and a largest drawdown of 25 % sells it" in words
    assert "about 2 507.50 USDT in a day: there the drawdown limit ends it. There is no limit" in words


def test_the_nearer_of_two_limits_explains_the_days_loss() -> None:
    words = said(max_drawdown_percent=5, max_daily_loss_percent=10)

    assert (
        "about 509.50 USDT in a day: there the drawdown limit ends it, before the limit for the day" in words
    )


def test_of_one_that_has_begun_it_is_said_that_more_than_the_capital_may_be_at_stake() -> None:
    risk = RiskConfig.parse({"stop_loss_percent": 5})
    begun, starting = (
        risk_sentences(capital=Decimal(100), risk=risk, market=MARKET, account=None, has_begun=has_begun)
        for has_begun in (True, False)
    )

    assert [each for each in begun if each not in starting] == [AS_AT_A_START]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ("PAPER", "On paper: none of it is real money."),
        ("TESTNET", "Mine is on a testnet: none of it is real money."),
        ("LIVE", "This is real money, your own, on Mine at Binance."),
    ],
)
def test_it_is_said_whose_money_it_is(environment: str, words: str) -> None:
    account = ExchangeAccount(label="Mine", exchange="BINANCE", environment=environment)

    assert said(account).endswith(words)
