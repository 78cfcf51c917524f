"""A lazy frame answers like the plain one that it stands for: numbers, types, labels, errors, warnings."""

import copy
import pickle
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot_sdk.window import GrowingWindow
from tests.bot_sdk.windows import grown

# What bots do with a frame, each expression evaluated on a lazy and on a plain `d`.
READS = """
d.iloc[-1]
d.iloc[-1]['rsi']
d.iloc[-1].close
d.iloc[-1].name
d.iloc[-1].index
d.iloc[-1].iloc[3]
d.iloc[-1].iloc[-1]
d.iloc[-1].values
d.iloc[-1].to_dict()
d.iloc[-1].get('nope', 7)
d.iloc[-1]['nope']
d.iloc[-1][['open', 'close']]
d.iloc[0]
d.iloc[300]
d.iloc[-301]
d.iloc[np.int64(-1)]
d.iloc[True]
d.iloc[-60:]
d.iloc[:-60]
d.iloc[5:2]
d.iloc[::2]
d.iloc[::-1]
d.iloc[-3:1000]
d.iloc[-60:]['close']
d.iloc[-60:][['open', 'obv']].values
d.iloc[-60:].iloc[-3:].iloc[0]['obv']
d.iloc['x':]
d.iloc[1.5]
d.iloc[[-1]]
d.iloc[[-2, -1], [0, 3]]
d.iloc[-1, 3]
d.iloc[:, :4]
d.iloc[-5:, 3]
d.iloc[d['rsi'].to_numpy() > 50]
d.iloc[lambda x: [-1]]
d.iloc[-1:].squeeze()
d.loc[d.index[-1]]
d.loc[d.index[-1], 'rsi']
d.loc[d.index[-10]:]
d.loc['2026-01-20':'2026-01-21', ['open', 'close']]
d.loc['2026-01-20 07:00']
d.loc[:, 'open':'close']
d.loc[d['rsi'] < 40, 'close']
d.at[d.index[-1], 'close']
d.iat[-1, 3]
d.xs(d.index[-1])
d['close']
d['rsi'].iloc[-1]
d['rsi'].iloc[-1].__class__.__name__
d['rsi'].iloc[-2]
d['rsi'].iloc[0]
d['rsi'].iloc[300]
d['rsi'].iloc[-301]
d['rsi'].iloc[-3:]
d['rsi'].iloc[[-1, -2]]
d['rsi'].iat[-1]
d['rsi'].at[d.index[-1]]
d['rsi'].loc[d.index[-1]]
d['rsi'][d.index[-1]]
d['rsi']['2026-01-20']
d['rsi']['close']
d['rsi'][-5:]
d['rsi'][-1]
d['rsi'].values
d['rsi'].values[-3:]
d['rsi'].values.flags.writeable
d['rsi'].values.flags.c_contiguous
d['rsi'].to_numpy()
d['rsi'].array
d['rsi'].tolist()[-2:]
d['rsi'].name
d['rsi'].index
d['rsi'].dtype
d['rsi'].shape
len(d['rsi'])
d['rsi'].empty
d['rsi'].hasnans
d['obv']
d['obv'].iloc[-1]
d['nope']
d[7]
d[None]
d[['open', 'rsi']]
d[['open', 'rsi']].values
d[['open', 'rsi']].values[-60:]
d[['open', 'rsi']].iloc[-1]
d[['open', 'rsi']].iloc[-1]['close']
d[['open', 'rsi']]['rsi'].iloc[-1]
d[['rsi', 'close', 'open']][['open', 'rsi']]
d[['obv']]
d[['open', 'open']]
d[['open', 'nope']]
d[[]]
d[[True] * len(d)]
d[d['rsi'] < 40]
d[-3:]
d['2026-01-20':]
d[pd.Index(['open', 'low'])]
d.rsi
d.rsi.iloc[-1]
d.close.ewm(span=9).mean()
d.nope
getattr(d, 'nope', 3)
d.get('rsi')
d.get('nope')
d.values
d.values[-1, 3]
d.values.flags.writeable
d.values.flags.f_contiguous
d.to_numpy()[-1]
np.asarray(d)
np.asarray(d['rsi'])
np.asarray(d[['open', 'rsi']], dtype='float32')
len(d)
d.shape
d.size
d.ndim
d.empty
d.index
d.index[-1]
d.index.freq
d.index.unit
d.columns
d.columns.tolist()
d.axes
d.dtypes
d.keys()
d.attrs
d.flags.allows_duplicate_labels
list(d)
'rsi' in d
'nope' in d
'rsi' in d.columns
bool(d.empty)
bool(d)
next(d.items())[1]
next(d.iterrows())[1]
next(d.itertuples())[1]
dict(d)['open']
max(d['high'])
sum(d['volume'])
[x for x in d['rsi']][-1]
d['rsi'].iloc[-1] in d['rsi'].values
reversed(d['rsi'].tolist()).__next__()
d.head(2)
d.tail(3)
d.tail(3)['close']
d.head(-290)
d['close'].tail(2)
d.sample(3, random_state=1)
d.nlargest(3, 'volume')
d.copy()
d.copy(deep=False)
d.copy()['rsi'].iloc[-1]
d['close'].copy()
copy.copy(d)
copy.deepcopy(d)
copy.deepcopy(d['rsi'])
pickle.loads(pickle.dumps(d))
pickle.loads(pickle.dumps(d['rsi']))
pickle.loads(pickle.dumps({'a': d, 'b': d.iloc[-1]}, protocol=2))['b']
d['rsi'] > 30
(d['close'] > d['sma_20']).iloc[-1]
d['close'].iloc[-1] - d['close'].iloc[-2]
d['close'] - d['open']
d['close'] * 2 + 1
1 / d['close']
-d['close']
abs(d['momentum'])
d['close'] % 2
d - d.mean()
d > 50
d + d
d.add(d['close'], axis=0)
np.log(d['close'])
np.sqrt(d[['high', 'low']])
np.where(d['rsi'] > 50, 1, 0)
np.maximum(d['open'], d['close'])
np.diff(d['close'])
np.polyfit(np.arange(20), d['close'].iloc[-20:], 1)
np.mean(d['close'])
np.isnan(d.values).any()
d['close'].pct_change()
d['close'].diff().clip(lower=0).sum()
d['close'].shift()
d.shift(2)
d['close'].rolling(20).mean()
d['close'].rolling(20).std().iloc[-1]
d['close'].rolling(5).apply(np.ptp, raw=True)
d['close'].rolling('5h').max()
d.rolling(5).mean()
d[['high', 'low']].rolling(3).max()
d['close'].rolling(10).corr(d['volume'])
d['close'].ewm(span=9, adjust=False).mean()
d.ewm(alpha=0.1).mean()
d['high'].expanding().max()
d['close'].cumsum()
d['close'].cummax() - d['close']
d.resample('4h').last()
d['close'].resample('4h').ohlc()
d['volume'].resample('1D').sum()
d.asfreq('2h')
d.between_time('00:00', '06:00')
d.at_time('03:00')
d.tz_convert('Europe/Berlin')
d.first_valid_index()
d.truncate(before=pd.Timestamp('2026-01-25', tz='UTC'))
d.mean()
d['close'].mean()
d['close'].std(ddof=0)
d['close'].max() - d['low'].min()
d['close'].quantile([0.1, 0.9])
d['close'].idxmax()
d['close'].argmax()
d['close'].rank(pct=True).iloc[-1]
d['rsi'].value_counts(bins=3)
d['close'].autocorr()
d['close'].corr(d['volume'])
d.corr().iloc[0, 1]
d.cov()
d.describe()
d['close'].describe()
d.agg(['min', 'max'])
d.agg({'close': 'max', 'volume': 'sum'})
d.apply(lambda r: r['close'] - r['open'], axis=1)
d.apply(np.mean)
d['close'].map(round)
d['close'].apply(lambda x: x * 2)
d.pipe(len)
d.assign(z=1.0)
d.assign(z=lambda x: x['close'] * 2)['z']
d.reset_index()
d.set_index('close')
d.rename(columns={'close': 'c'})
d.add_prefix('x_')
d.drop(columns=['open'])
d.reindex(columns=['close', 'nope'])
d.filter(like='sma')
d.select_dtypes('number')
d.astype('float32')
d['close'].astype(int)
d.round(2)
d.T
d.dropna()
d.fillna(0)
d.isna().sum()
d.notna().all()
d['sma_200'].ffill()
d['sma_200'].interpolate()
d.where(d > 0)
d.mask(d['rsi'] > 50)
d['rsi'].between(30, 70)
d['rsi'].isin([1.0])
d.clip(0, 100)
d.sort_values('rsi')
d.sort_index(ascending=False)
d.duplicated()
d.query('rsi < 50 and close > sma_20')
d.eval('close - open')
d.groupby(d['rsi'] > 50)['close'].mean()
d.groupby(d.index.hour).agg({'volume': 'sum'})
pd.cut(d['rsi'], [0, 30, 70, 100])
pd.concat([d, d])
pd.concat([d['close'], d['rsi']], axis=1)
pd.merge(d, d, left_index=True, right_index=True)
d.merge(d[['close']], left_index=True, right_index=True)
d.join(d[['close']], rsuffix='_x')
pd.merge_asof(d[['close']], d[['rsi']], left_index=True, right_index=True)
d.combine_first(d)
d.align(d.iloc[:5])[1]
d.stack()
d[['open', 'close']].melt()
d.pivot_table(index=d.index.hour, values='close')
d.to_dict('list')['rsi'][-1]
d.iloc[-2:].to_dict('records')
d.iloc[-2:].to_json()
d.iloc[-2:].to_csv()
d.iloc[-2:].to_records()[0][4]
d.iloc[-2:].to_html()
d.to_string()
d['rsi'].to_frame()
d.memory_usage().sum()
repr(d)
repr(d['rsi'])
repr(d.iloc[-1])
str(d[['open', 'close']])
d.equals(d)
d['rsi'].equals(d['rsi'].copy())
d.compare(d + 1)
hash(d)
isinstance(d, pd.DataFrame)
isinstance(d['rsi'], pd.Series)
isinstance(d.iloc[-1], pd.Series)
type(d)({'a': [1]})
type(d['a' if 'a' in d else 'rsi'])([1.0, 2.0])
type(d).from_dict({'a': [1]})
d.__class__(d.values, index=d.index)
pd.DataFrame(d)
pd.DataFrame(d, columns=['close'])
pd.DataFrame({'c': d['close'], 'o': d['open']})
pd.Series(d['close'])
pd.Series(d['close'].values, index=d.index)
d['close'].items().__iter__().__next__()
np.array(d['close'], copy=True)
np.asarray(d['close'], dtype=float).tolist()
float(d['close'].iloc[-1])
f"{d['close'].iloc[-1]:.2f}"
round(d['close'].iloc[-1], 2)
""".strip().splitlines()


def write_column(d: Any) -> Any:
    d["mine"] = d["close"].rolling(5).mean()
    return d


def overwrite_column(d: Any) -> Any:
    close = d["close"]
    d["close"] = 0.0
    return pd.concat([d["close"], close], axis=1)


def write_in_place_of_one(d: Any) -> Any:
    before = d["close"]
    d.loc[d.index[-1], "close"] = 0.0
    d.iloc[-2, 0] = 1.0
    d.iat[-3, 1] = 2.0
    d.at[d.index[-4], "low"] = 3.0
    return d.assign(before=before)


def write_rows(d: Any) -> Any:
    d.iloc[-1] = 5.0
    d[d["rsi"] > 60] = 1.0
    return d


def write_a_row_after_the_newest(d: Any) -> Any:
    d.loc[d.index[-1] + pd.Timedelta("1h")] = 1.0
    return d


def write_to_a_column(d: Any) -> Any:
    close = d["close"]
    close.iloc[-1] = 7.0
    close[d.index[-2]] = 8.0
    close.loc[d.index[-3]] = 9.0
    return d.assign(mine=close)


def write_to_a_selection(d: Any) -> Any:
    chosen = d[["open", "close"]]
    chosen["open"] = 0.0
    chosen.iloc[0, 1] = 1.0
    return d.assign(mine=chosen["open"], his=chosen["close"])


def write_to_part_of_the_rows(d: Any) -> Any:
    part = d.iloc[-5:]
    part.loc[:, "close"] = 0.0
    return d.assign(mine=part["close"])


def write_to_a_row(d: Any) -> Any:
    row = d.iloc[-1]
    row["close"] = 0.0
    row["mine"] = 1.0
    return pd.concat([d.iloc[-1], row], axis=1)


def write_to_a_copy(d: Any) -> Any:
    mine = d.copy()
    mine["close"] = 0.0
    return d.assign(mine=mine["close"])


def write_through_a_chain(d: Any) -> Any:
    d["close"].iloc[-1] = 0.0
    d["close"][d.index[-1]] = 0.0
    d.iloc[-1]["close"] = 0.0
    d[["open"]]["open"] = 0.0
    d["close"].fillna(0.0, inplace=True)
    return d


def write_to_values(d: Any) -> Any:
    d["close"].values[-1] = 0.0
    return d


def write_to_values_of_all(d: Any) -> Any:
    d.values[-1] = 0.0
    return d


def write_as_an_attribute(d: Any) -> Any:
    d.close = 1.0
    d.index.name = "mine"
    d.columns.name = "names"
    return pd.concat([d, d[["open"]], d.iloc[:3], d["rsi"], d.copy()[["low"]]], axis=1)


def set_labels(d: Any) -> Any:
    d.columns = range(len(d.columns))
    d.index = range(len(d))
    return d


def set_labels_of_a_column(d: Any) -> Any:
    close = d["close"]
    close.name = "mine"
    close.index.name = "other"
    return pd.concat([d["close"], close], axis=1)


def name_the_index_then_read(d: Any) -> Any:
    column = d["close"]
    d.index.name = "mine"
    return [column, d["close"], d["close"].iloc[-2:], d.iloc[-1], d[["close"]], d.iloc[-2:], d.copy()]


def take_out(d: Any) -> Any:
    close = d.pop("close")
    del d["open"]
    d.insert(0, "mine", close)
    return d


def change_in_place(d: Any) -> Any:
    d.drop(columns=["open"], inplace=True)
    d.rename(columns={"close": "mine"}, inplace=True)
    d.dropna(inplace=True)
    d.sort_values("rsi", inplace=True)
    return d


def add_in_place(d: Any) -> Any:
    d += 1
    d["close"] *= 2
    return d


def keep_attributes(d: Any) -> Any:
    d.attrs["mine"] = 1
    return d.copy().attrs, d[["close"]].attrs, d["close"].attrs


def ask_the_same_indexer_twice(d: Any) -> Any:
    rows, column = d.iloc, d["close"].iloc
    first = rows[-1], column[-1]
    d["close"] = 0.0
    return [first[0], first[1], rows[-1], column[-1], rows[-2:], column[-2:]]


def write_through_an_indexer(d: Any) -> Any:
    rows = d.iloc
    rows[-1] = 0.0
    return [rows[-1], rows[-1:], d]


DEEDS = [
    *(write_column, overwrite_column, write_in_place_of_one, write_rows, write_a_row_after_the_newest),
    *(write_to_a_column, write_to_a_selection, write_to_part_of_the_rows, write_to_a_row, write_to_a_copy),
    *(write_through_a_chain, write_to_values, write_to_values_of_all, write_as_an_attribute, set_labels),
    *(set_labels_of_a_column, name_the_index_then_read, take_out, change_in_place, add_in_place),
    *(keep_attributes, ask_the_same_indexer_twice, write_through_an_indexer),
]


@pytest.mark.parametrize("expression", READS)
def test_a_lazy_frame_is_read_as_a_plain_one(expression: str) -> None:
    names = {"np": np, "pd": pd, "copy": copy, "pickle": pickle}

    lazy, plain = both(lambda frame: eval(expression, names | {"d": frame}))

    assert_same(lazy, plain)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_lazy_frame_is_written_to_as_a_plain_one(deed: Callable[[Any], Any]) -> None:
    lazy, plain = both(deed)

    assert_same(lazy, plain)


def both(use: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return what comes of a lazy and of a plain frame, with the warnings on the way."""
    lazy, plain = _windows()
    return outcome(use, lazy.frame()), outcome(use, plain.frame())


@cache
def _windows() -> tuple[GrowingWindow, GrowingWindow]:
    return grown(), grown(lazy=False)


def outcome(use: Callable[[Any], Any], frame: pd.DataFrame) -> tuple[Any, list[tuple[Any, str]]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = use(frame)
        except Exception as error:  # noqa: BLE001  whichever it is, both must raise it
            result = type(error), str(error)
    return result, [(warning.category, str(warning.message)) for warning in caught]


def assert_same(lazy: Any, plain: Any) -> None:
    if isinstance(plain, tuple | list):
        assert len(lazy) == len(plain)
        for one, other in zip(lazy, plain, strict=True):
            assert_same(one, other)
    elif isinstance(plain, pd.DataFrame):
        assert lazy.attrs == plain.attrs
        assert type(lazy) is pd.DataFrame
        pd.testing.assert_frame_equal(lazy, plain, check_exact=True)
    elif isinstance(plain, pd.Series):
        assert lazy.attrs == plain.attrs
        assert type(lazy) is pd.Series
        pd.testing.assert_series_equal(lazy, plain, check_exact=True)
    elif isinstance(plain, pd.Index):
        pd.testing.assert_index_equal(lazy, plain, exact=True)
        assert getattr(lazy, "freq", None) == getattr(plain, "freq", None)
    elif isinstance(plain, np.ndarray):
        assert (lazy.dtype, lazy.shape, lazy.flags.writeable) == (
            plain.dtype,
            plain.shape,
            plain.flags.writeable,
        )
        np.testing.assert_array_equal(lazy, plain)
    else:
        assert (type(lazy), repr(lazy)) == (type(plain), repr(plain))
