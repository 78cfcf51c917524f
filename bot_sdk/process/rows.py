"""Rows of candles on their way into the jail while a bot is rehearsed: released a few, or one, at a time."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # web processes import the sandbox's words
    import numpy as np
    from numpy.typing import NDArray

ROWS = b"R"  # what a message of rows begins with, and no line of JSON does
_COUNT_BYTES = 4
_HEAD = len(ROWS) + _COUNT_BYTES
_STAMP_BYTES = 8
_NUMBER_BYTES = 8


class Row(NamedTuple):
    """A candle with its indicators: `stamp` is its opening in microseconds since 1970.

    On a row that `is_silent` the bot is not asked.
    """

    stamp: int
    is_silent: bool
    values: "NDArray[np.float64]"


def pack_rows(
    stamps: "NDArray[np.int64]", is_silent: "NDArray[np.bool_]", values: "NDArray[np.float64]"
) -> bytes:
    """Return the message that brings these rows."""
    head = ROWS + len(stamps).to_bytes(_COUNT_BYTES)
    return head + stamps.tobytes() + is_silent.tobytes() + values.tobytes()


def rows_length(received: bytes, width: int) -> int | None:
    """Return how long the message is that begins with these bytes; None as long as that cannot be told."""
    if len(received) < _HEAD:
        return None
    count = int.from_bytes(received[len(ROWS) : _HEAD])
    return _HEAD + count * (_STAMP_BYTES + 1 + width * _NUMBER_BYTES)


def read_rows(message: bytes, width: int) -> list[Row]:
    """Return the rows of a whole message."""
    import numpy as np  # noqa: PLC0415

    count = int.from_bytes(message[len(ROWS) : _HEAD])
    flags_at = _HEAD + count * _STAMP_BYTES
    stamps = np.frombuffer(message, np.int64, count, _HEAD).tolist()
    silent = np.frombuffer(message, np.bool_, count, flags_at).tolist()
    values = np.frombuffer(message, np.float64, count * width, flags_at + count).reshape(count, width)
    return [Row(*row) for row in zip(stamps, silent, values, strict=True)]
