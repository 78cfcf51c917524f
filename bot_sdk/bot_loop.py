"""Ask one bot at one candle after another, each time as if it were the first.

The platform starts every cycle with a new bot in a new process. Here the process stays, and everything else
is new: the bot, its configuration, the frame and the random numbers.
"""

import hashlib
import inspect
import json
import marshal
import random
import re
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bot_sdk.action import Action
from bot_sdk.bot import CustomBot

_SEED_DIGITS = 8  # hexadecimal: what numpy's generator takes
# Seeding costs as much as a simple bot, and most draw nothing. Whatever draws has one of these words in its
# code, or imports something beside these modules; so do many that do not draw.
_NOT_DRAWING = rb"\s+(?:bot_sdk|collections|dataclasses|math|numpy|pandas|talib|typing)\b"
_MAY_DRAW = re.compile(
    rb"random|sample|shuffle|choice|(?:^|[;:])\s*"
    rb"(?:from\b(?!" + _NOT_DRAWING + rb")|import\b(?!" + _NOT_DRAWING + rb"[^,\n]*$))",
    re.MULTILINE,
)


class BotFailed(RuntimeError):
    """The bot raised, or returned no Action; the message names the candle and the line."""


def seed_of(code: bytes, task: Mapping[str, Any], stamp: int) -> int:
    """Return what random generators start from at the candle opened at `stamp`, in microseconds since 1970.

    The same code, settings and candle draw the same numbers, live and in a backtest. `task` holds what the
    bot is given beside the candles, in what JSON can.
    """
    settings = json.dumps(task, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    return _seed(_base_of(code, settings), stamp)


class BotLoop:
    """A bot's class with what it is given at every candle.

    `task` has timeframe, config and subscription_config as JSON types; `models` is what the bot finds as
    config["models"], None without any. `code` is the bot's file, which seeds its random numbers.
    """

    def __init__(
        self,
        bot_class: type[CustomBot],
        task: Mapping[str, Any],
        *,
        code: bytes = b"",
        models: Mapping[str, Any] | None = None,
    ) -> None:
        self._bot_class = bot_class
        self._timeframe: str = task["timeframe"]
        # In this version of the format nothing is shared: what a bot does to one leaves the other alone.
        self._given = marshal.dumps((dict(task["config"]), dict(task["subscription_config"])), 2)
        self._models = models
        settings = json.dumps(task, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        self._seed_base = _base_of(code, settings) if _MAY_DRAW.search(code) else None

    def decide(self, frame: pd.DataFrame, stamp: int) -> Action:
        """Return what a new bot says on the frame, whose newest candle opened at `stamp`.

        Raises whatever the bot raises, and BotFailed when it returns no Action.
        """
        config, subscription_config = marshal.loads(self._given)
        if self._models is not None:
            config["models"] = dict(self._models)
        if self._seed_base is not None:
            seed = _seed(self._seed_base, stamp)
            random.seed(seed)
            np.random.seed(seed)
        bot = self._bot_class(config, {})
        action = bot.execute_algorithm(frame, self._timeframe, subscription_config)
        if not isinstance(action, Action):
            raise BotFailed(
                f"execute_algorithm returned {type(action).__name__[:80]}, "
                'expected an Action on every path, for example Action("HOLD", price, "why").'
            )
        return action


def failure_of(error: Exception, bot_class: type[CustomBot]) -> str:
    """Return what went wrong in a bot on its developer's machine, with the line in the bot's file."""
    if isinstance(error, BotFailed):
        return str(error)
    bot_file = inspect.getfile(bot_class)
    lines = [
        place.lineno for place in traceback.extract_tb(error.__traceback__) if place.filename == bot_file
    ]
    place = f" ({bot_file}, line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{place}"


def _base_of(code: bytes, settings: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(code).digest() + settings).digest()


def _seed(base: bytes, stamp: int) -> int:
    return int(hashlib.sha256(base + stamp.to_bytes(8, signed=True)).hexdigest()[:_SEED_DIGITS], 16)
