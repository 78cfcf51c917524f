"""A frame of candles and indicators as plain bytes: a header in JSON, the index, the columns.

Not a pickle: the same frame gives the same bytes whatever pandas wrote it, and another pandas can read it.
"""

import io
import json
from typing import TYPE_CHECKING

from bot_sdk.process.job_file import pack, read_part

if TYPE_CHECKING:  # web processes import the sandbox's words and never make a frame
    import pandas as pd


def encode_frame(frame: "pd.DataFrame") -> bytes:
    """Return the bytes of a frame with float64 columns and a DatetimeIndex in UTC.

    Encode once per market and give the same bytes to every bot. Raises TypeError for other columns or another
    index.
    """
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or str(index.tz) != "UTC":
        raise TypeError(f"Expected a DatetimeIndex in UTC, got {type(index).__name__} {index.dtype}.")
    for name, dtype in frame.dtypes.items():
        if dtype != np.float64:
            raise TypeError(f"Expected float64 in column {name!r}, got {dtype}; convert it before encoding.")
    header = {"columns": list(frame.columns), "index_name": index.name, "unit": index.unit}
    columns = np.ascontiguousarray(frame.to_numpy(dtype=np.float64).T)
    return pack(json.dumps(header).encode(), index.asi8.tobytes(), columns.tobytes())


def newest_stamp(frame: "pd.DataFrame") -> int:
    """Return the opening time of a frame's newest candle, in microseconds since 1970; 0 when it has none."""
    index = frame.index.as_unit("us")  # type: ignore[attr-defined]  # a DatetimeIndex
    return int(index.asi8[-1]) if len(index) else 0


def decode_frame(data: bytes) -> "pd.DataFrame":
    """Return the frame that `encode_frame` made bytes of; its memory is its own and may be written to."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    file = io.BytesIO(data)
    header, index, columns = json.loads(read_part(file)), read_part(file), bytearray(read_part(file))
    stamps = np.frombuffer(index, dtype=np.int64).astype(f"datetime64[{header['unit']}]")
    values = np.frombuffer(columns, dtype=np.float64).reshape(len(header["columns"]), len(stamps))
    opened_at = pd.DatetimeIndex(stamps, name=header["index_name"]).tz_localize("UTC")
    return pd.DataFrame(values.T, index=opened_at, columns=header["columns"], copy=False)
