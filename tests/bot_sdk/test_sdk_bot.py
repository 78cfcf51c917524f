import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bot_sdk import CustomBot
from bot_sdk.account import snapshot_of
from bot_sdk.bot import NotConnected, Snapshot, connect
from bot_sdk.ledger import Holding, apply_fill
from tests.bot_sdk.samples import candles_of


@pytest.fixture
def bot() -> Iterator[CustomBot]:
    yield CustomBot({"rsi_oversold": 25}, {})
    connect(None)


def test_a_bot_is_named_after_its_class(bot: CustomBot) -> None:
    assert (bot.bot_name, bot.bot_type, bot.config) == ("CustomBot", "TECHNICAL", {"rsi_oversold": 25})


def test_a_bot_keeps_no_keys() -> None:
    bot = CustomBot({}, {"secret": "do not keep me"})

    assert "do not keep me" not in repr(vars(bot))


def test_a_bot_without_algorithm_says_what_to_define(bot: CustomBot) -> None:
    with pytest.raises(NotImplementedError, match="define execute_algorithm"):
        bot.execute_algorithm(candles_of([1.0]), "1h")


@pytest.mark.parametrize("question", ["get_current_price", "get_account_info"])
def test_an_unconnected_bot_says_how_to_run_it(bot: CustomBot, question: str) -> None:
    with pytest.raises(NotConnected, match="python -m bot_sdk run"):
        getattr(bot, question)()


def test_a_connected_bot_answers_from_its_snapshot(bot: CustomBot) -> None:
    connect(Snapshot(current_price=101.5, balances={"USDT": 900.0}, account_info={"equity": 1000.0}))

    assert bot.get_current_price() == 101.5
    assert bot.get_balance("USDT") == 900.0
    assert bot.get_balance("DOGE") == 0.0
    assert bot.get_account_info() == {"equity": 1000.0}


def test_what_a_bot_changes_in_its_account_info_is_its_own(bot: CustomBot) -> None:
    connect(Snapshot(current_price=1.0, account_info={"nested": {"equity": 1000.0}}))

    bot.get_account_info()["nested"]["equity"] = 9.9

    assert bot.get_account_info() == {"nested": {"equity": 1000.0}}


def test_the_snapshot_of_a_position_names_the_pairs_assets() -> None:
    holding = apply_fill(Holding.start(Decimal(1000)), "BUY", Decimal(2), Decimal(100), Decimal("0.2"))

    snapshot = snapshot_of(holding, Decimal(110), "BTC/USDT", lambda _: ())

    assert snapshot.current_price == 110.0
    assert snapshot.balances == {"BTC": 2.0, "USDT": 799.8}
    assert snapshot.account_info == {
        "trading_pair": "BTC/USDT",
        "quote_balance": 799.8,
        "base_amount": 2.0,
        "average_entry_price": 100.1,
        "equity": 1019.8,
        "realized_pnl": 0.0,
        "unrealized_pnl": 19.8,
    }


def test_the_sdk_loads_no_indicator_library_until_indicators_are_asked_for() -> None:
    check = (
        "import sys, bot_sdk, bot_sdk.backtest, bot_sdk.risk, bot_sdk.candle_file, bot_sdk.bot_file\n"
        "print(*{'pandas_ta', 'talib', 'django', 'ccxt'} & set(sys.modules))"
    )

    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", check], cwd=root, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
