"""Go through a run with a sample of ours beforehand, so that a bot's run does nothing for the first time.

The zygote does it once, which loads and sets up what runs need. The process that waits for the next run does
it again: it writes to the pages that most runs write to, so that they are no longer shared with the zygote's.
"""

import gc
import sys
from typing import Any

import numpy as np
import pandas as pd

from bot_sdk.bot import Snapshot, connect
from bot_sdk.process.bot_run import load
from bot_sdk.process.frame import decode_frame, encode_frame, newest_stamp

_CANDLES, _COLUMNS = 500, 45  # as many as runs are given: then the memory that this takes is theirs to use
_TASK: dict[str, Any] = {"timeframe": "1h", "config": {}, "subscription_config": {}}
_BOT = b"""
import pandas as pd
from bot_sdk import Action, CustomBot

class SampleBot(CustomBot):
    def __init__(self, config, api_keys):
        super().__init__(config, api_keys)
        self.length = config.get("length", 5)

    def execute_algorithm(self, data, timeframe, subscription_config):
        close = data["close"]
        mean = close.rolling(self.length).mean().iloc[-1]
        return Action("BUY" if close.iloc[-1] > mean else "HOLD", close.iloc[-1], f"mean: {mean:.2f}")
"""


def warm_up() -> bytes:
    """Use what most bots use, and return the sample's frame for `warm_copy`."""
    index = pd.date_range("2026-01-01", periods=_CANDLES, freq="h", tz="UTC", name="opened_at")
    values = np.linspace(1.0, 2.0, _CANDLES * _COLUMNS).reshape(_CANDLES, _COLUMNS)
    columns = ["open", "close", *(f"column_{number}" for number in range(2, _COLUMNS))]
    frame = pd.DataFrame(values, index=index, columns=columns)
    closes = frame["close"]
    closes.ewm(span=5).mean()
    closes.diff().shift(1).fillna(0.0)
    frame[["open", "close"]].to_numpy() @ np.ones((2, 1))
    str(frame.tail(1))
    np.random.seed(0)
    sample = encode_frame(frame)
    warm_copy(sample)
    return sample


def warm_copy(sample: bytes) -> None:
    """Ask the sample's bot, and leave no trace of it."""
    frame = decode_frame(sample)
    load(_BOT, _TASK, (), Snapshot(1.0)).decide(frame, newest_stamp(frame))
    connect(None)
    del sys.modules["bot"]
    gc.collect()  # a class goes no other way
