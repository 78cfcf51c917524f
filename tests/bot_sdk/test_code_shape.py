"""A copy has the shape of what it was copied from, whatever it calls things; another bot has not."""

from importlib import resources

import pytest

from bot_sdk.code_shape import MOST_NUMBERS, shape_of

SAMPLES = resources.files("bot_sdk").joinpath("examples")

ORIGINAL = '''
"""Follow the trend."""
from bot_sdk import Action, CustomBot


class Follower(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        # the newest candle
        price = data["close"].iloc[-1]
        slope = data["ema_12"].diff().tail(5).mean()
        if slope > 0.5 and data["adx"].iloc[-1] > 25:
            return Action("BUY", price, f"Rising by {slope:.2f}")
        if slope < -0.5:
            return Action("SELL", price, "Falling")
        return Action("HOLD", price, "Flat")
'''
COPY = """
import pandas as pd
from bot_sdk import CustomBot, Action
class MyOwnIdea(CustomBot):
    def execute_algorithm(self, frame: pd.DataFrame, tf: str, cfg: dict) -> Action:
        'All mine.'
        p: float = frame['open'].iloc[-3]
        s = frame['sma_20'].diff().tail(9).mean()
        if s > 0.25 and frame['rsi'].iloc[-1] > 60:
            return Action('SELL', p, 'Up')
        if s < -7:
            return Action('BUY', p, f'Down {s}')
        return Action('HOLD', p, 'Nothing')
"""


def test_names_values_comments_and_layout_do_not_matter() -> None:
    assert shape_of(ORIGINAL) == shape_of(COPY)
    assert len(shape_of(ORIGINAL)) > 50


def test_what_was_copied_shows_wherever_it_stands() -> None:
    before, after = "def first(a, b):\n    return a * b + 1\n", "\ndef last(a):\n    return [a, a, -a]\n"

    copied = set(shape_of(before + ORIGINAL + after)) & set(shape_of(ORIGINAL))

    assert len(copied) > 0.9 * len(shape_of(ORIGINAL))


def test_the_samples_have_next_to_nothing_in_common() -> None:
    shapes = [
        set(shape_of(file.read_text())) for file in SAMPLES.iterdir() if file.name.endswith("_cross.py")
    ]
    shapes += [
        set(shape_of(SAMPLES.joinpath(name).read_text())) for name in ("rsi_bot.py", "bollinger_reversion.py")
    ]

    assert max(len(one & other) for one in shapes for other in shapes if one is not other) < 10


def test_other_methods_of_a_library_are_another_shape() -> None:
    other = ORIGINAL.replace("diff", "rolling").replace("mean", "std")

    assert len(set(shape_of(ORIGINAL)) & set(shape_of(other))) < len(shape_of(ORIGINAL)) * 0.8


def test_a_large_file_has_a_shape_of_bounded_size() -> None:
    rows = (", ".join("b()" if bit == "1" else "a" for bit in f"{n:b}") for n in range(3000))
    tables = "\n".join(f"x = [{row}]" for row in rows)

    assert len(shape_of(tables)) == MOST_NUMBERS


def test_little_has_no_shape_and_no_python_none() -> None:
    assert shape_of("x = 1") == []
    with pytest.raises(SyntaxError):
        shape_of("def")
