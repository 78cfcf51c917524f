"""The same strategies for backtesting.py, as its users write them: STRATEGY CANDLES.csv TRADES.json.

Written: [entry time, entry price, exit time, exit price] of each closed trade, times in ISO 8601.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import talib
from backtesting import Backtest, Strategy
from numpy.lib.stride_tricks import sliding_window_view

WARM_UP_CANDLES = 200  # the candle on which the other side first decides


class Peer(Strategy):  # type: ignore[misc] # it has no types
    """A long position or none."""

    def enters(self) -> bool:
        raise NotImplementedError

    def leaves(self) -> bool:
        raise NotImplementedError

    def next(self) -> None:
        if len(self.data) < WARM_UP_CANDLES:
            return
        if self.position:
            if self.leaves():
                self.position.close()
        elif self.enters():
            self.buy()


class RSI(Peer):
    def init(self) -> None:
        self.rsi = self.I(talib.RSI, self.data.Close, 14)

    def enters(self) -> bool:
        return bool(self.rsi[-1] < 30)

    def leaves(self) -> bool:
        return bool(self.rsi[-1] > 70)


def means(values: Any, count: int) -> Any:
    """Return the mean of so many values at each place; TA-Lib rounds so that equal means differ."""
    sums = sliding_window_view(values, count).sum(axis=-1)
    return np.concatenate((np.full(count - 1, np.nan), sums / count))


class SMACross(Peer):
    def init(self) -> None:
        self.fast = self.I(means, self.data.Close, 10)
        self.slow = self.I(means, self.data.Close, 30)

    def enters(self) -> bool:
        return bool(self.fast[-1] > self.slow[-1])

    def leaves(self) -> bool:
        return bool(self.fast[-1] < self.slow[-1])


class Bollinger(Peer):
    def init(self) -> None:
        self.bands = self.I(talib.BBANDS, self.data.Close, 20, 2, 2)

    def enters(self) -> bool:
        return bool(self.data.Close[-1] < self.bands[2][-1])

    def leaves(self) -> bool:
        return bool(self.data.Close[-1] > self.bands[0][-1])


STRATEGIES = {"rsi": RSI, "sma_cross": SMACross, "bollinger": Bollinger}


def closed_trades(strategy: str, candles: pd.DataFrame) -> list[list[Any]]:
    """Return the trades with fills at the next open and without fees, with money for whole units."""
    frame = candles.rename(columns=str.capitalize)
    backtest = Backtest(frame, STRATEGIES[strategy], cash=1e9, commission=0, finalize_trades=False)
    trades = backtest.run()["_trades"]
    return [
        [entry.isoformat(), bought, out.isoformat(), sold]
        for entry, bought, out, sold in zip(
            *(trades[name] for name in ("EntryTime", "EntryPrice", "ExitTime", "ExitPrice")), strict=True
        )
    ]


if __name__ == "__main__":
    candles = pd.read_csv(sys.argv[2], index_col="opened_at", parse_dates=["opened_at"])
    Path(sys.argv[3]).write_text(json.dumps(closed_trades(sys.argv[1], candles)))
