"""What a version is put through before a person looks at it: one table for platform, command line and pages.

Every step judges mechanics, never profit. The order is that in which they run: what is cheap and decides for
all others comes first. `python -m bot_sdk check` takes every step that needs no platform.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot_sdk.code_policy import Finding


@dataclass(frozen=True, slots=True)
class GateStep:
    """One step: `code` names it for good, `question` is what it asks of a bot, `mend` what to do after a no.

    After a no in one that `is_needed` the later steps make no sense; a no in one that `is_advice` keeps no
    bot out. One that `needs_platform` compares with what only the platform has.
    """

    code: str
    title: str
    question: str
    mend: str
    is_needed: bool = False
    is_advice: bool = False
    needs_platform: bool = False

    @property
    def guide(self) -> str:
        """The anchor of the step in the developers' guide, `docs/developing_bots.md`."""
        return f"gate-{self.code}"


GATE_STEPS: Mapping[str, GateStep] = {
    step.code: step
    for step in (
        GateStep(
            "source",
            "The file can be read",
            "Is the file text in UTF-8, of a size that a person can review, and Python?",
            "Go to the line that is named. Save the file as UTF-8 with ordinary line ends; move tables of "
            "numbers and models into files of their own; correct what is no Python.",
            is_needed=True,
        ),
        GateStep(
            "policy",
            "The code keeps to the policy",
            "Does the file import and use only what a bot needs, and hold one bot?",
            "Go to each line that is refused: the finding says what to write instead. Advice may stay.",
            is_needed=True,
        ),
        GateStep(
            "load",
            "The bot loads",
            "Does the file run in time, and give one class that inherits from CustomBot and can be asked, "
            "with parameters that can be shown as a form?",
            "Keep the top of the file to imports, constants and definitions: nothing there may wait, print "
            "much or end the process. Define one CustomBot with execute_algorithm(self, data, timeframe, "
            "subscription_config), and parameters as a list of Parameter.",
            is_needed=True,
        ),
        GateStep(
            "models",
            "The model files open",
            "Does each model file open with the runtime's libraries, under a name that no other has?",
            "Save the file again with the versions of the bots' runtime, in one of the formats that it "
            "names; convert networks to ONNX; rename one of two files with the same name.",
            is_needed=True,
        ),
        GateStep(
            "dry_runs",
            "It answers on every market",
            "Does the bot answer with an Action at every candle of four markets and timeframes, of a short "
            "history, of flat and of missing candles, and with a tiny balance?",
            "Run it at the market and candle that are named. Expect NaN where an indicator has too few "
            "candles, a price that never moves, a volume of zero and a balance that buys nothing, and return "
            'Action("HOLD", price, "why") there.',
        ),
        GateStep(
            "determinism",
            "It answers the same twice",
            "Does the bot, asked again on the same candles, give the same action, value and reason?",
            "Take the time from data.index[-1] and not from the clock; draw numbers with `random` or "
            "`numpy.random`, which are seeded for each candle, never with `secrets`, `os.urandom` or `uuid`; "
            "do not depend on the order of a set.",
        ),
        GateStep(
            "look_ahead",
            "It does not look ahead",
            "Do the bot's answers stay as they are when the candles after them change or are missing?",
            "Use only `data`, up to its last row: no shift(-1), no centered window, no figure over a whole "
            "history, no candles from elsewhere.",
        ),
        GateStep(
            "statelessness",
            "It keeps nothing between candles",
            "Does a new process decide as the one that has seen the earlier candles?",
            "Compute what you need from `data` at each candle, or ask get_position(): what a bot keeps in "
            "itself, its class or its file is gone when it trades.",
            is_advice=True,
        ),
        GateStep(
            "warm_up",
            "Its warm-up is long enough",
            "With only the declared number of candles behind it, does the bot act as with more?",
            "Declare a longer warm-up, at least that of the slowest indicator that the bot reads, or return "
            "HOLD while one is NaN.",
        ),
        GateStep(
            "cost",
            "Decisions are cheap enough",
            "Do 19 of 20 decisions keep to the CPU time and memory that one may cost?",
            "Compute on whole columns instead of looping over rows; use the columns that `data` has already; "
            "import only what you use; make the model smaller.",
        ),
        GateStep(
            "reference_backtest",
            "A backtest runs to its end",
            "Can the bot be backtested on the reference market, with an answer at every candle? Its figures "
            "are shown, not judged.",
            "Run the backtest on your machine: it names the first candle at which the bot failed, and why.",
        ),
        GateStep(
            "similarity",
            "It is a work of its own",
            "Is the code much like that of a published bot of someone else, or one of the SDK's samples?",
            "Publish what you have made yourself. Where two bots are alike for a good reason, say so in the "
            "release notes: a person decides.",
            needs_platform=True,
        ),
    )
}

_RULES_OF_SOURCE = frozenset({"depth", "encoding", "size", "syntax"})


def findings_of(code: str, findings: Iterable[Finding]) -> Sequence[Finding]:
    """Return those findings of `code_policy.check` that belong to the step "source", or to "policy"."""
    is_source = code == "source"
    return [finding for finding in findings if (finding.rule in _RULES_OF_SOURCE) == is_source]
