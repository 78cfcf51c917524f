"""The base class of every bot, and what its run lets it ask about price and account.

A bot holds no credentials and opens no connection. Whoever runs it (the platform's confined process, the
command line) connects it to an account view, which answers the bot's few questions and can do nothing else.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from bot_sdk.action import Action
from bot_sdk.parameters import Parameter

if TYPE_CHECKING:  # web processes import the SDK's rules and have no use for pandas
    import pandas as pd

MOST_CANDLES = 1000  # per question

# What the answers depend on decides who may share a run: these are the same for every account on the market.
MARKET_QUESTIONS = ("current_price", "candles")
ACCOUNT_QUESTIONS = ("balance", "position", "account_info")

# opening time in milliseconds since 1970, open, high, low, close, volume
CandleRow = Sequence[float]


class NotConnected(RuntimeError):
    """A bot asked for a price or balance outside a run."""


class AccountView(Protocol):
    """Whoever answers a bot's questions, in what JSON can hold."""

    def answer(self, question: str, *arguments: Any) -> Any:
        """Return the answer. Raises ValueError, in words for the developer, for what cannot be asked."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The facts of one moment, which answer the questions of one run.

    `current_price` is quote per base. `balances` maps an asset ("USDT") to its free amount. `candles` returns
    the newest closed candles, at most so many, oldest first.
    """

    current_price: float
    balances: Mapping[str, float] = field(default_factory=dict)
    position: Mapping[str, Any] = field(default_factory=dict)
    account_info: Mapping[str, Any] = field(default_factory=dict)
    candles: Callable[[int], Sequence[CandleRow]] = lambda _: ()

    def answer(self, question: str, *arguments: Any) -> Any:
        match question, arguments:
            case "current_price", ():
                return self.current_price
            case "balance", (str(asset),):
                return self.balances.get(asset, 0.0)
            case "position", ():
                return dict(self.position)
            case "account_info", ():
                return dict(self.account_info)
            case "candles", (int(count),) if 1 <= count <= MOST_CANDLES and not isinstance(count, bool):
                return [list(row) for row in self.candles(count)]
        raise ValueError(_misasked(question))


_account: AccountView | None = None


def connect(account: AccountView | None) -> None:
    """Have `account` answer every bot's questions from now on; None disconnects."""
    global _account  # noqa: PLW0603  one process runs one bot
    _account = account


class CustomBot:
    """The base class of a bot: subclass it once per file and override `execute_algorithm`.

    The class declares its `parameters`, which traders set; its `warm_up`, the candles that it needs for a
    decision, the newest among them (200 fill every column of `data`); and its `risk_defaults`, the limits
    that traders start from, with keys and units of `bot_sdk.configs.RiskConfig`; what is left out is off.

    `config` holds the trader's values for the parameters that the bot declares. `api_keys` is always an empty
    mapping: it is there so that a bot can pass it on, and is stored nowhere.
    `bot_type` is "TECHNICAL", "ML", "DL" or "LLM".
    """

    parameters: ClassVar[Sequence[Parameter]] = ()
    warm_up: ClassVar[int] = 200
    risk_defaults: ClassVar[Mapping[str, float]] = {}

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
        return float(_ask("current_price"))

    def get_balance(self, asset: str) -> float:
        """Return the free amount of `asset` ("USDT"); 0.0 when the account holds none.

        Raises NotConnected outside a run and ValueError when `asset` is not text.
        """
        return float(_ask("balance", asset))

    def get_position(self) -> dict[str, Any]:
        """Return what is held: base_amount, average_entry_price (None when flat) and unrealized_pnl.

        Raises NotConnected outside a run.
        """
        return dict(_ask("position"))

    def get_account_info(self) -> dict[str, Any]:
        """Return the facts about the account, as a copy. Raises NotConnected outside a run."""
        return copy.deepcopy(_ask("account_info"))

    def get_candles(self, count: int) -> "pd.DataFrame":
        """Return the newest closed candles, up to `count` and at most 1000: more than `data` may hold.

        The columns are open, high, low, close and volume, the index is named `opened_at`, as in `data`.
        Raises NotConnected outside a run and ValueError for another count.
        """
        import pandas as pd  # noqa: PLC0415

        rows = _ask("candles", count)
        frame = pd.DataFrame(
            rows, columns=["opened_at", "open", "high", "low", "close", "volume"], dtype="float64"
        )
        frame["opened_at"] = pd.to_datetime(frame["opened_at"].astype("int64"), unit="ms", utc=True)
        return frame.set_index("opened_at")


def _ask(question: str, *arguments: Any) -> Any:
    if _account is None:
        raise NotConnected(
            "No account is connected: price and balances can be asked for while the bot runs. Run it with "
            "`python -m bot_sdk run mybot.py candles.csv`, or call bot_sdk.bot.connect(Snapshot(...)) before."
        )
    return _account.answer(question, *arguments)


def _misasked(question: str) -> str:
    if question == "candles":
        return f"Ask for a whole number of candles between 1 and {MOST_CANDLES}."
    if question == "balance":
        return 'Ask for the balance of one asset by its name, such as "USDT".'
    known = ", ".join(MARKET_QUESTIONS + ACCOUNT_QUESTIONS)
    return f"A bot can ask for {known}, each with its own arguments; {question[:40]!r} was asked."
