"""A version's code as pages show it: its lines in color, and what changed since another version's."""

import difflib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from django.utils.safestring import SafeString, mark_safe
from pygments.formatters import HtmlFormatter
from pygments.lexers.python import PythonLexer
from pygments.token import Token, _TokenType

from bots.facts import is_unseen

COLORING_SECONDS = 0.5  # of CPU time: some texts take Pygments the square of their length
MOST_LINES_SHOWN = 10_000
MOST_LINES_COMPARED = 2_000  # of each side: what it takes may grow with the square of their number
LINES_AROUND = 4


class TooMuchToCompareError(Exception):
    """Two texts are too long to be compared on a page; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a comparison; its number on either side is None where that side lacks it.

    `kind` is "same", "added", "removed", or "gap" for a place at which lines that are the same are left out.
    """

    kind: str
    text: str = ""
    old_number: int | None = None
    new_number: int | None = None


def colored_lines(code: str) -> Sequence[SafeString]:
    """Return each line of Python code as HTML, characters that nobody sees spelled out.

    At most MOST_LINES_SHOWN, with Pygments' classes as far as these are found in COLORING_SECONDS.
    """
    lines = readable(code).split("\n")
    html = StringIO()
    HtmlFormatter(nowrap=True).format(_tokens("\n".join(lines[:MOST_LINES_SHOWN])), html)
    return [mark_safe(line) for line in html.getvalue().removesuffix("\n").split("\n")]  # noqa: S308 - escaped


def is_cut(code: str) -> bool:
    """Whether the code has more lines than `colored_lines` returns."""
    return readable(code).count("\n") >= MOST_LINES_SHOWN


def readable(code: str) -> str:
    """Return the text with `\\n` at the end of each line and each character that nobody sees spelled out."""
    plain = code.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_spelled(each) if each not in "\n\t" and is_unseen(each) else each for each in plain)


def changes(old: str, new: str) -> Sequence[Change]:
    """Return what turns the old text into the new one, with some lines around each change; empty for none.

    Raises TooMuchToCompareError when either has more than MOST_LINES_COMPARED lines.
    """
    before, after = readable(old).split("\n"), readable(new).split("\n")
    longest = max(len(before), len(after))
    if longest > MOST_LINES_COMPARED:
        raise TooMuchToCompareError(
            f"Files of up to {MOST_LINES_COMPARED:,} lines can be compared here; one of these has "
            f"{longest:,}. Download both packages and compare them on your machine."
        )
    return list(_changes(before, after))


def _changes(before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    matcher = difflib.SequenceMatcher(None, before, after)
    for group in matcher.get_grouped_opcodes(LINES_AROUND):
        yield Change("gap", f"Line {group[0][3] + 1}")
        for tag, begin, end, new_begin, new_end in group:
            if tag == "equal":
                for offset in range(end - begin):
                    line = before[begin + offset]
                    yield Change("same", line, begin + offset + 1, new_begin + offset + 1)
                continue
            for index in range(begin, end):
                yield Change("removed", before[index], old_number=index + 1)
            for index in range(new_begin, new_end):
                yield Change("added", after[index], new_number=index + 1)


def _tokens(code: str) -> Iterator[tuple[_TokenType, str]]:
    end = time.thread_time() + COLORING_SECONDS
    for index, kind, text in PythonLexer().get_tokens_unprocessed(code):
        if time.thread_time() > end:
            yield Token.Text, code[index:]
            return
        yield kind, text


def _spelled(character: str) -> str:
    return f"[U+{ord(character):04X}]"
