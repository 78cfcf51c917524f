"""Frames that are put together only when somebody uses them as one.

A bot is given a frame at each candle, and most bots read a few numbers of it, which takes less time than to
make a frame. So a `LazyFrame` has nothing but `Rows`, from which it answers `data["rsi"].iloc[-1]`,
`data[["open", "close"]].values` and their like. Whatever else is asked of it turns it for good, class
included, into the ordinary `pd.DataFrame` that it stands for. That needs no list of what else there is: all
of pandas reaches a frame's insides as attributes, these are not there, and Python then calls `__getattr__`.

What a bot gets is a copy: no array, index, series or frame shares memory with what anybody else gets.

This uses insides of pandas: those of the version that `bot_sdk.window` names. Whether another version's will
do, tests/bot_sdk/test_lazy_frame.py tells.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas._libs.internals import BlockPlacement
from pandas.arrays import DatetimeArray
from pandas.core.generic import NDFrame
from pandas.core.indexing import _iLocIndexer
from pandas.core.internals.blocks import NumpyBlock
from pandas.core.internals.managers import BlockManager, SingleBlockManager

from bot_sdk.on_balance_volume import FloatArray, counted

IntArray = NDArray[np.int64]

_initialize: Any = NDFrame.__init__
_UTC = pd.DatetimeTZDtype("us", "UTC")
_STAMP = np.dtype("datetime64[us]")
_MOST_SELECTIONS = 256  # of columns, remembered for the next frame
_array_of = DatetimeArray._simple_new  # type: ignore[attr-defined]
_index_of = pd.DatetimeIndex._simple_new  # type: ignore[attr-defined]


class Layout:
    """Which rows of a memory block are the columns of a frame, in its order.

    `obv` is the row of the block, if any, that has the moves which on-balance volume adds up.
    """

    def __init__(self, names: Sequence[str], order: Sequence[int], obv: int | None) -> None:
        self.columns = pd.Index(names)
        self.order = order
        self.places = dict(zip(names, order, strict=True))
        self.obv = obv
        self.counted = order.index(obv) if obv in order else None
        run = range(order[0], order[0] + len(order))
        self.taken: Any = slice(run.start, run.stop) if [*order] == [*run] else np.array(order)
        self._selections: dict[tuple[Any, ...], Layout] = {}

    def frame(self, values: FloatArray, stamps: IntArray, first: int, last: int) -> pd.DataFrame:
        """Return a frame of the block's rows from `first` to before `last`, which must not change any more.

        The block has columns as its rows; `stamps` are opening times in microseconds since 1970.
        """
        return LazyFrame.of(Rows(self, values, stamps, first, first, last))

    def select(self, names: Sequence[Any]) -> "Layout | None":
        """Return the layout of these columns alone; None when it takes pandas to say what is meant."""
        key = tuple(names)
        try:
            selection = self._selections.get(key)
            if selection is None and key and len(set(key)) == len(key):
                selection = Layout(key, [self.places[name] for name in key], self.obv)
                if len(self._selections) < _MOST_SELECTIONS:
                    self._selections[key] = selection
        except (KeyError, TypeError):  # no such column, or not the name of one
            return None
        return selection


class Rows:
    """Rows of a block from `first` to before `last`, seen through a layout; obv counts from `began` on."""

    __slots__ = (
        "_index",
        "began",
        "columns_seen",
        "first",
        "index_seen",
        "last",
        "layout",
        "stamps",
        "values",
    )

    def __init__(  # noqa: PLR0917  made for every frame, and keywords take their time
        self, layout: Layout, values: FloatArray, stamps: IntArray, began: int, first: int, last: int
    ) -> None:
        self.layout = layout
        self.values = values
        self.stamps = stamps
        self.began = began
        self.first = first
        self.last = last
        self.index_seen: pd.DatetimeIndex | None = None  # by the bot, which may have given it a name
        self.columns_seen: pd.Index | None = None
        self._index: pd.DatetimeIndex | None = None

    def __len__(self) -> int:
        return self.last - self.first

    def part(self, layout: Layout, start: int, stop: int) -> "Rows":
        """Return the rows from `start` to before `stop`, counted from here, with the labels' names."""
        part = Rows(layout, self.values, self.stamps, self.began, self.first + start, self.first + stop)
        if self.index_seen is not None:
            part.index_seen = self.index_seen[start:stop]
        if self.columns_seen is not None:
            part.columns_seen = layout.columns.rename(self.columns_seen.name)
        return part

    def number(self, place: int, row: int) -> Any:
        """Return what the column at `place` has in a row that counts from 0 here."""
        if place == self.layout.obv:
            return self.column(place)[row]
        return self.values[place, self.first + row]

    def column(self, place: int) -> FloatArray:
        if place == self.layout.obv:
            return counted(self.values[place, self.began : self.last])[self.first - self.began :]
        return self.values[place, self.first : self.last].copy()

    def row(self, row: int) -> FloatArray:
        layout = self.layout
        numbers: FloatArray = self.values[layout.taken, self.first + row].copy()
        if layout.obv is not None and layout.counted is not None:
            numbers[layout.counted] = self.number(layout.obv, row)
        return numbers

    def matrix(self) -> FloatArray:
        """Return all numbers, columns first, each in one piece."""
        layout = self.layout
        numbers: FloatArray = self.values[layout.taken, self.first : self.last].copy()
        if layout.obv is not None and layout.counted is not None:
            numbers[layout.counted] = self.column(layout.obv)
        return numbers

    def index(self) -> pd.DatetimeIndex:
        """Return the frame's own index, the same one each time."""
        if self.index_seen is None:
            self.index_seen = self.new_index()
        return self.index_seen

    def columns(self) -> pd.Index:
        """Return the frame's own columns, the same ones each time."""
        if self.columns_seen is None:
            self.columns_seen = self.layout.columns.view()
        return self.columns_seen

    def new_index(self) -> pd.DatetimeIndex:
        """Return an index that may be given another name, and that pandas knows to be equal at a glance."""
        if self._index is None:
            stamps = self.stamps[self.first : self.last].copy().view(_STAMP)
            self._index = _index_of(_array_of(stamps, dtype=_UTC), name="opened_at")
        return self._index.view()


class _Labels:
    """The index or the columns of a frame, which may be read and set."""

    def __init__(self, name: str, read: Callable[[Rows], pd.Index]) -> None:
        self._name = name
        self._read = read

    def __get__(self, frame: Any, owner: type) -> Any:
        return getattr(pd.DataFrame, self._name) if frame is None else self._read(frame._rows)

    def __set__(self, frame: Any, labels: Any) -> None:
        _turn_frame(frame)
        setattr(frame, self._name, labels)


class _Column:
    """What the series of one column is read from."""

    __slots__ = ("index", "name", "place", "rows")

    def __init__(self, rows: Rows, place: int, name: str) -> None:
        self.rows = rows
        self.place = place
        self.name = name
        self.index = None if rows.index_seen is None else rows.index_seen.view()

    def __len__(self) -> int:
        return len(self.rows)

    def number(self, position: int) -> Any:
        return self.rows.number(self.place, position)

    def values(self) -> FloatArray:
        return self.rows.column(self.place)

    def labels(self) -> tuple[pd.Index, Any]:
        return self.rows.new_index() if self.index is None else self.index, self.name


class _Row:
    """What the series of one row is read from."""

    __slots__ = ("columns", "position", "rows")

    def __init__(self, rows: Rows, position: int) -> None:
        self.rows = rows
        self.position = position
        self.columns = None if rows.columns_seen is None else rows.columns_seen.view()

    def __len__(self) -> int:
        return len(self.rows.layout.order)

    def number(self, position: int) -> Any:
        return self.rows.number(self.rows.layout.order[position], self.position)

    def values(self) -> FloatArray:
        return self.rows.row(self.position)

    def labels(self) -> tuple[pd.Index, Any]:
        columns = self.rows.layout.columns.view() if self.columns is None else self.columns
        return columns, self.rows.new_index()[self.position]


class _SeriesPositions(_iLocIndexer):
    obj: Any

    def __getitem__(self, key: Any) -> Any:
        series = self.obj
        if type(key) is int and type(series) is LazySeries:
            source = series._source
            length = len(source)
            if -length <= key < length:
                return source.number(key if key >= 0 else key + length)
        return super().__getitem__(key)  # type: ignore[misc]


class _FramePositions(_iLocIndexer):
    obj: Any

    def __getitem__(self, key: Any) -> Any:
        frame = self.obj
        if type(frame) is LazyFrame:
            rows = frame._rows
            length = len(rows)
            if type(key) is int and -length <= key < length:
                return LazySeries.of(_Row(rows, key if key >= 0 else key + length))
            if type(key) is slice and {type(key.start), type(key.stop), type(key.step)} <= {int, type(None)}:
                start, stop, step = key.indices(length)
                if step == 1:
                    return LazyFrame.of(rows.part(rows.layout, start, max(start, stop)))
        return super().__getitem__(key)  # type: ignore[misc]


class LazySeries(pd.Series):
    """A column or a row of a `LazyFrame`, which turns into a `pd.Series` as that does into a frame."""

    _source: _Column | _Row

    def __new__(cls, *values: Any, **options: Any) -> Any:
        return pd.Series(*values, **options)  # for who calls the type of what he was given

    @classmethod
    def of(cls, source: _Column | _Row) -> "LazySeries":
        series: LazySeries = object.__new__(cls)
        vars(series)["_source"] = source
        return series

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, key: Any) -> Any:
        source = self._source
        if type(key) is str and type(source) is _Row:
            place = source.rows.layout.places.get(key)
            if place is not None:
                return source.rows.number(place, source.position)
        return pd.Series.__getitem__(self, key)

    @property
    def iloc(self) -> Any:
        return _SeriesPositions("iloc", self)

    @property
    def values(self) -> Any:
        return _read_only(self._source.values())

    def __getattr__(self, name: str) -> Any:  # type: ignore[misc]
        _turn_series(self)
        return getattr(self, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        _turn_series(self)
        return self.__reduce_ex__(protocol)


class LazyFrame(pd.DataFrame):
    """A frame that is read from `Rows` until it has to be a `pd.DataFrame`, which it is from then on."""

    _rows: Rows

    def __new__(cls, *values: Any, **options: Any) -> Any:
        return pd.DataFrame(*values, **options)  # for who calls the type of what he was given

    @classmethod
    def of(cls, rows: Rows) -> "LazyFrame":
        frame: LazyFrame = object.__new__(cls)
        vars(frame)["_rows"] = rows
        return frame

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        rows = self._rows
        if type(key) is str:
            place = rows.layout.places.get(key)
            if place is not None:
                return LazySeries.of(_Column(rows, place, key))
        elif type(key) is list:
            layout = rows.layout.select(key)
            if layout is not None:
                return LazyFrame.of(rows.part(layout, 0, len(rows)))
        return pd.DataFrame.__getitem__(self, key)

    @property
    def iloc(self) -> Any:
        return _FramePositions("iloc", self)

    @property
    def values(self) -> Any:
        return _read_only(self._rows.matrix().T)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._rows), len(self._rows.layout.order)

    @property
    def empty(self) -> bool:
        return not len(self._rows)

    # pandas copies on write, so that no one can tell a deep copy from another.
    def copy(self, deep: bool = True) -> Any:  # type: ignore[misc]  # noqa: ARG002
        return LazyFrame.of(self._rows.part(self._rows.layout, 0, len(self._rows)))

    index = _Labels("index", Rows.index)
    columns = _Labels("columns", Rows.columns)

    def __getattr__(self, name: str) -> Any:  # type: ignore[misc]
        if name in self._rows.layout.places:
            return self[name]
        _turn_frame(self)
        return getattr(self, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        _turn_frame(self)
        return self.__reduce_ex__(protocol)


# pandas names a frame's and a series' type in its messages.
LazyFrame.__name__, LazySeries.__name__ = "DataFrame", "Series"


# What they were read from stays with them: another thread may be reading it.
def _turn_frame(frame: Any) -> None:
    rows = frame._rows
    columns = rows.columns()
    block = NumpyBlock(rows.matrix(), placement=BlockPlacement(slice(0, len(columns))), ndim=2)
    manager = BlockManager((block,), [columns, rows.index()], verify_integrity=False)
    object.__setattr__(frame, "__class__", pd.DataFrame)
    _initialize(frame, manager)


def _turn_series(series: Any) -> None:
    source = series._source
    labels, name = source.labels()
    block = NumpyBlock(source.values(), placement=BlockPlacement(slice(0, len(labels))), ndim=1)
    object.__setattr__(series, "__class__", pd.Series)
    _initialize(series, SingleBlockManager(block, labels, verify_integrity=False))
    object.__setattr__(series, "_name", name)


def _read_only(numbers: FloatArray) -> FloatArray:
    numbers.flags.writeable = False
    return numbers
