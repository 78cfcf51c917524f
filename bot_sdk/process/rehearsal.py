"""A whole backtest in one process: the bot there, the trading here, a candle released at a time.

The process gets each candle when the bot may know it and no earlier: strictly, when it has answered for the
one before, so that what is still to come is nowhere in its memory; or some hundreds ahead, which is quicker
and leaves a bot that digs in its own process that much of the future. What it answers is traded here, by the
same `Backtest` that a developer has; so the process can lie about nothing but its own decisions.
"""

from collections.abc import Callable, Sequence

import numpy as np

from bot_sdk.backtest import Backtest
from bot_sdk.history import WINDOW_CANDLES
from bot_sdk.model_files import ModelFile
from bot_sdk.process.job import Asked
from bot_sdk.process.job_file import Order, bytes_of
from bot_sdk.process.questions import MOST_QUESTIONS, answered, told
from bot_sdk.process.reply import Answer, parse_line
from bot_sdk.process.rows import pack_rows
from bot_sdk.process.verdicts import Verdict

STRICT = 1
AHEAD = 512  # candles
MOST_FAILURES_IN_A_ROW = 100  # a bot that always fails is not asked to the end


class Rehearsal:
    """The dialog with a process in which a bot is asked at every candle of a backtest.

    It is over when the backtest is, when the bot has failed a hundred times in a row or answers what cannot
    be read, or when `goes_on` says no, which is called after each answer and some times a second while there
    is none. `given_up` is the last message of a bot that always failed, "" for all others.
    """

    room = 4 << 20  # bytes: the rows, or the answers, of more candles than are released ahead

    def __init__(
        self,
        backtest: Backtest,
        code: str,
        models: Sequence[ModelFile],
        *,
        ahead: int,
        goes_on: Callable[[], bool],
    ) -> None:
        """`ahead` is STRICT, or how many candles may be released that the bot was not asked for yet."""
        self.answers: list[Answer] = []  # what cannot be read, if any
        self.asked: Sequence[Asked] = ()
        self.given_up = ""
        self._backtest = backtest
        self.code = code
        self.models = models
        self._ahead = ahead
        self._goes_on = goes_on
        self._has_stopped = False
        self._failures = 0
        self._questions = 0
        history = backtest.history
        self._first = self._released = max(history.first - WINDOW_CANDLES + 1, 0)
        self._is_silent = history.gapped | (np.arange(len(history)) < history.first)

    def packed(self) -> bytes:
        """Return the file that the process begins with."""
        history = self._backtest.history
        head = {
            "kind": "rehearsal",
            "task": self._backtest.setup.task(),
            "columns": history.columns,
            "candles": len(history) - self._first,
            "window": WINDOW_CANDLES,
        }
        return Order(head, b"", self.models, bytes_of(self.code)).packed()

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is wanted of the process."""
        return self.was_heard_out or bool(self.given_up) or bool(self.answers)

    @property
    def was_heard_out(self) -> bool:
        """Whether it answered to the end, or until it was stopped."""
        return self._backtest.is_over or self._has_stopped

    @property
    def is_over_asked(self) -> bool:
        """Whether the bot has asked more often at one candle than it may."""
        return self._questions > MOST_QUESTIONS

    def conclude(self, ending: Answer) -> Answer:
        """Return what the run came to, when its process ended so."""
        if self.given_up:
            return Answer(Verdict.FAILED, message=self.given_up)
        return Answer(Verdict.OK) if self.was_heard_out else ending

    def begin(self) -> bytes:
        """Return the first candles."""
        return self._release()

    def wait(self) -> None:
        """Ask whether to go on, since a bot may take its time for one candle."""
        self._has_stopped = not self._goes_on()

    def hear(self, line: bytes) -> bytes:
        """Trade on an answer and release what may be known next, or answer a question."""
        said = parse_line(line)
        if not isinstance(said, Answer):
            self._questions += 1
            return told(answered(said, self._backtest.answer))
        self._questions = 0
        if said.verdict == Verdict.BAD_REPLY:
            self.answers.append(said)
            return b""
        if said.action is None:
            self._fail(said.message)
        else:
            self._failures = 0
            self._backtest.act(said.action)
        self._backtest.advance()
        self._has_stopped = not self._goes_on()
        return self._release()

    def _fail(self, message: str) -> None:
        self._backtest.fail(message)
        self._failures += 1
        if self._failures == MOST_FAILURES_IN_A_ROW:
            self.given_up = message

    def _release(self) -> bytes:
        """Return the candles that the process may have now; none as long as it has enough."""
        history, row = self._backtest.history, self._backtest.row
        until = min(row + self._ahead, len(history))
        if self._backtest.is_over or self._released - row > self._ahead // 2 or until <= self._released:
            return b""
        rows = slice(self._released, until)
        self._released = until
        return pack_rows(history.stamps[rows], self._is_silent[rows], history.rows[rows])
