"""What a developer writes about a bot, made fit to be stored and shown.

Each function returns the cleaned value or raises ValidationError in words. No text keeps characters that
nobody sees: they would make two texts look alike, turn what follows around, or be refused by the database.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError

from bot_sdk.timeframes import TIMEFRAMES
from bots import markdown

MOST_TRADING_PAIRS = 20
LONGEST_TRADING_PAIR = 31

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, marks of direction, unassigned
_TRADING_PAIR = re.compile(r"[A-Z0-9]{1,15}/[A-Z0-9]{1,15}")


def is_unseen(character: str) -> bool:
    """Whether nobody sees the character, or no two people alike."""
    return unicodedata.category(character) in _UNSEEN


def clean_line(text: str) -> str:
    """Return the text on one line, with plain single spaces."""
    composed = " ".join(unicodedata.normalize("NFC", text).split())
    _refuse_unseen(composed)
    return composed


def clean_lines(text: str) -> str:
    """Return the text with plain line ends, without spaces around it."""
    composed = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    _refuse_unseen(composed.replace("\n", " ").replace("\t", " "))
    return composed.strip()


def clean_markdown(text: str) -> str:
    """As `clean_lines`, of a text that can be rendered in bounded time."""
    try:
        markdown.check(text.replace("\r\n", "\n"))  # as browsers send the ends of lines
    except markdown.MarkdownError as error:
        raise ValidationError(str(error)) from error
    return clean_lines(text)


def clean_trading_pairs(pairs: Sequence[str]) -> list[str]:
    """Return each of the pairs once, in capitals."""
    found = list(dict.fromkeys(str(pair).strip().upper() for pair in pairs))
    for pair in found:
        if not _TRADING_PAIR.fullmatch(pair):
            raise ValidationError(f"Expected trading pairs such as BTC/USDT, got {pair[:40]!r}.")
    if len(found) > MOST_TRADING_PAIRS:
        raise ValidationError(f"Expected at most {MOST_TRADING_PAIRS} trading pairs, got {len(found)}.")
    return found


def clean_timeframes(timeframes: Sequence[str]) -> list[str]:
    """Return each of the timeframes once, the shortest first."""
    unknown = [str(each)[:40] for each in timeframes if each not in TIMEFRAMES]
    if unknown:
        raise ValidationError(f"Expected timeframes among {', '.join(TIMEFRAMES)}, got {unknown[0]!r}.")
    return [each for each in TIMEFRAMES if each in timeframes]


CLEANERS: Mapping[str, Callable[[Any], Any]] = {
    "tagline": clean_line,
    "description": clean_markdown,
    "trading_pairs": clean_trading_pairs,
    "timeframes": clean_timeframes,
}


def _refuse_unseen(text: str) -> None:
    unseen = next(filter(is_unseen, text), None)
    if unseen is not None:
        raise ValidationError(
            f"There is a character that cannot be seen (U+{ord(unseen):04X}). Type the text again without it."
        )
