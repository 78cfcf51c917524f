"""What runs bots for those who try them: the platform's sandbox, or the processes of a developer's machine.

Both are modules: `execution.sandbox` and `bot_sdk.own_process`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from bot_sdk.code_policy import Finding
from bot_sdk.model_files import ModelFile
from bot_sdk.process.job import Job, Limits, Run
from bot_sdk.process.reply import Introduced

if TYPE_CHECKING:  # web processes import the words of the gate and have no use for pandas
    from bot_sdk.backtest import Backtest


class RunUnavailable(RuntimeError):
    """No bot can be run here and now, which is not the bot's doing; the message says what to do."""


class Runner(Protocol):
    """Runs a bot's code, each time in a process that knows nothing of the times before.

    What a bot does is never raised: it is what is returned. Raises RunUnavailable, except for `run` and
    `rehearse`, which have a verdict for it.
    """

    def inspect(self, code: bytes) -> Sequence[Finding]:
        """Return what the policy finds in the code, by line."""

    def introduce(self, code: str, models: Sequence[ModelFile], limits: Limits) -> Introduced | str:
        """Return what bot the file holds; a text says why it holds none, or which model does not open."""

    def rehearse(
        self,
        backtest: "Backtest",
        code: str,
        models: Sequence[ModelFile],
        limits: Limits,
        *,
        is_strict: bool,
        goes_on: Callable[[], bool],
    ) -> Run:
        """Run the bot over a backtest, which moves on.

        Strictly, no candle is in the process's memory before the bot has answered for the one before it.
        `goes_on` is called after each answer and stops the run when it says no.
        """

    def run(self, job: Job, limits: Limits) -> Run:
        """Ask the bot once."""
