"""The price of each simulated market as a pure function of seed, symbol and time.

A logarithmic price is a sum of smooth noises of many periods, each drawn from numbered normal deviates that
any process can look up:

- trends with periods from nine hours to nine months, partly common to all markets;
- swings with periods from one minute to four hours;
- the noise of single trades.

A noise grows with the square root of its period, as in a random walk. Swings and noise grow and shrink with
the market's mood (hours to days) and the time of day, so that lively and quiet spells cluster. The price is
constant between trades, of which there is one in ten seconds.

Swings of 4 to 16 minutes are larger than a random walk's, so that a bot has something to do while one
watches. Measured on 1m candles, 4 seeds of 2 days: a minute's return deviates by 0.05 %; RSI 14 is below 30
for 14 % of the time and above 70 for 8 %, and the median wait for it to be below 30 is 26 minutes; the close
comes into the lower 30 % of its Bollinger bands with a median wait of 6 minutes; averages of 5 and 20 candles
cross every 16 minutes.
"""

from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from exchanges.simulator.listings import LISTINGS

MINUTES_PER_DAY = 1440
TRADES_PER_MINUTE = 6
TRADES_PER_DAY = MINUTES_PER_DAY * TRADES_PER_MINUTE

TREND_PERIODS = tuple(540 * 3**scale for scale in range(7))  # minutes
TREND_SIZE = 0.01  # with a period of one day; others grow with its square root, as in a random walk
TREND_IN_COMMON = 0.7  # correlation of two markets' trends
MOOD_PERIOD = 700  # minutes
SWING_PERIODS = tuple(2**scale for scale in range(9))  # minutes
SWING_SIZE = 0.00016  # with a period of one minute
LIVELY_SWINGS = {4: 1.5, 8: 3.0, 16: 3.0}  # how many times larger these are
NOISE_SIZE = 0.00012
BLOCK = 1024

type Floats = NDArray[np.float64]


def log_prices(seed: int, symbol: str, day: int) -> Floats:
    """Return the day's logarithmic prices, one per trade. `day` counts days since the Unix epoch."""
    listing = LISTINGS[symbol]
    if listing.cross_of is not None:
        numerator, denominator = listing.cross_of
        return log_prices(seed, numerator, day) - log_prices(seed, denominator, day)
    start = day * MINUTES_PER_DAY
    minutes = start + np.arange(MINUTES_PER_DAY, dtype=np.float64)
    trades = start + np.arange(TRADES_PER_DAY, dtype=np.float64) / TRADES_PER_MINUTE
    trend = _trend(seed, "market", minutes) * TREND_IN_COMMON**0.5
    trend += _trend(seed, symbol, minutes) * (1 - TREND_IN_COMMON) ** 0.5
    mood = _smooth_noise(seed, f"{symbol} mood", MOOD_PERIOD, minutes)
    liveliness = np.exp(0.35 * mood) * time_of_day(minutes)
    swings = _swings(seed, symbol, trades)
    swings += NOISE_SIZE * deviates(seed, f"{symbol} noise", day * TRADES_PER_DAY, TRADES_PER_DAY)
    path: Floats = np.log(listing.price) + _per_trade(trend) + _per_trade(liveliness) * swings
    return path


def deviates(seed: int, name: str, first: int, count: int) -> Floats:
    """Return the standard normal deviates numbered from `first` on in the series called `name`."""
    blocks = range(first // BLOCK, (first + count - 1) // BLOCK + 1)
    drawn = np.concatenate([_block(seed, name, block) for block in blocks])
    skipped = first - blocks[0] * BLOCK
    return drawn[skipped : skipped + count]


def time_of_day(minutes: Floats) -> Floats:
    """Return how lively the hour is, around 1: most at 15:00 UTC, when Europe and America both trade."""
    return 1 + 0.25 * np.cos(2 * np.pi * (minutes / MINUTES_PER_DAY - 15 / 24))


@lru_cache(maxsize=512)
def _block(seed: int, name: str, block: int) -> Floats:
    return np.random.default_rng([seed, crc32(name.encode()), block]).standard_normal(BLOCK)


def _per_trade(per_minute: Floats) -> Floats:
    return np.repeat(per_minute, TRADES_PER_MINUTE)


def _ease(share: Floats) -> Floats:
    """Go from 0 to 1 as `share` does, without a kink at either end."""
    return share * share * (3 - 2 * share)


def _smooth_noise(seed: int, name: str, period: int, minutes: Floats) -> Floats:
    """Pass through one deviate per period, smoothly."""
    position = minutes / period
    index = position.astype(np.int64)
    values = deviates(seed, f"{name} {period}", int(index[0]), int(index[-1] - index[0]) + 2)
    left: Floats = values[index - index[0]]
    right: Floats = values[index - index[0] + 1]
    return left + (right - left) * _ease(position - index)


def _trend(seed: int, name: str, minutes: Floats) -> Floats:
    trend = np.zeros_like(minutes)
    for period in TREND_PERIODS:
        size = TREND_SIZE * (period / MINUTES_PER_DAY) ** 0.5
        trend += size * _smooth_noise(seed, f"{name} trend", period, minutes)
    return trend


def _swings(seed: int, symbol: str, trades: Floats) -> Floats:
    swings = np.zeros_like(trades)
    for period in SWING_PERIODS:
        size = SWING_SIZE * period**0.5 * LIVELY_SWINGS.get(period, 1.0)
        swings += size * _smooth_noise(seed, f"{symbol} swing", period, trades)
    return swings
