"""The base class of every bot, and the facts about the account that its run was given.

A bot holds no credentials and opens no connection. Whoever runs it (the platform's confined process, the
command line) takes a `Snapshot` of price and balances beforehand and installs it with `connect`; the bot's
questions are answered from it.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from bot_sdk.action import Action
from bot_sdk.parameters import Parameter

if TYPE_CHECKING:  # web processes import the SDK's rules and have no use for pandas
    import pandas as pd


class NotConnected(RuntimeError):
    """A bot asked for a price or balance outside a run."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The facts that a bot may ask for during one run.

    `current_price` is quote per base. `balances` maps an asset ("USDT") to its free amount.
    """

    current_price: float
    balances: dict[str, float] = field(default_factory=dict)
    account_info: dict[str, Any] = field(default_factory=dict)


_snapshot: Snapshot | None = None


def connect(snapshot: Snapshot | None) -> None:
    """Answer every bot's questions from `snapshot` from now on; None disconnects."""
    global _snapshot  # noqa: PLW0603  one process runs one bot
    _snapshot = snapshot


class CustomBot:
    """The base class of a bot: subclass it once per file and override `execute_algorithm`.

    `config` holds the trader's values for the parameters that the bot declares. `api_keys` is always an empty
    mapping: it is there so that a bot can pass it on, and is stored nowhere.
    `bot_type` is "TECHNICAL", "ML", "DL" or "LLM".
    """

    parameters: ClassVar[Sequence[Parameter]] = ()

    def __init__(self, config: Mapping[str, Any], api_keys: Mapping[str, Any]) -> None:  # noqa: ARG002
        self.config = config
        self.bot_name = type(self).__name__
        self.bot_type = "TECHNICAL"

    def execute_algorithm(
        self, data: "pd.DataFrame", timeframe: str, subscription_config: Mapping[str, Any] | None = None
    ) -> Action:
        """Return the action to take after the newest candle.

        `data` has one row per closed candle, oldest first: the columns open, high, low, close, volume and
        every indicator of `bot_sdk.indicators.INDICATORS`, all float64, NaN where an indicator has too few
        candles. Its index is the candles' opening time in UTC, named `opened_at`. `timeframe` is "1m", "1h",
        ...; `subscription_config` holds the subscription's exchange, pair and settings.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no algorithm: define execute_algorithm(self, data, timeframe, "
            "subscription_config) in it and return an Action."
        )

    def get_current_price(self) -> float:
        """Return the newest price, in quote per base. Raises NotConnected outside a run."""
        return _connected().current_price

    def get_balance(self, asset: str) -> float:
        """Return the free amount of `asset` ("USDT"); 0.0 when the account holds none.

        Raises NotConnected outside a run.
        """
        return _connected().balances.get(asset, 0.0)

    def get_account_info(self) -> dict[str, Any]:
        """Return the facts about the account, as a copy. Raises NotConnected outside a run."""
        return copy.deepcopy(_connected().account_info)


def _connected() -> Snapshot:
    if _snapshot is None:
        raise NotConnected(
            "No account is connected: price and balances can be asked for while the bot runs. Run it with "
            "`python -m bot_sdk run mybot.py candles.csv`, or call bot_sdk.bot.connect(Snapshot(...)) before."
        )
    return _snapshot
