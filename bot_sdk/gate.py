"""Take the steps of the gate that need no platform, with whoever runs the bot.

The platform and the command line call this with the same markets and limits, and with a runner each: what
they answer differs only where the bot does what the platform's walls forbid, and in what decisions cost.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot_sdk import checks
from bot_sdk.backtest import Setup
from bot_sdk.checks import CheckResult, CostLimits
from bot_sdk.code_policy import Finding
from bot_sdk.gate_steps import GATE_STEPS, findings_of
from bot_sdk.model_files import ModelFile
from bot_sdk.parameters import validate
from bot_sdk.process.job import Limits
from bot_sdk.process.reply import Introduced
from bot_sdk.runner import Runner
from bot_sdk.sample_markets import Scene, dry_run_scenes, reference_scene
from bot_sdk.trials import Subject, record

EXCHANGE = "BINANCE"  # which the bot is told
GATE_LIMITS = Limits(seconds=120, memory_mb=512, cpu_percent=100)
GATE_COST = CostLimits(cpu_seconds=1.0, peak_memory_mb=768.0)
_LOAD_LIMITS = Limits(seconds=10, memory_mb=512, cpu_percent=100)


@dataclass(frozen=True)
class Candidate:
    """A bot at the gate, with what it is tried on.

    `code` is its file; `settings` are values for its parameters, the defaults where there is none. `scene`
    makes the market of all steps but the dry runs, for a bot that needs so many candles before its first
    decision. Whatever asks the runner raises RunUnavailable, and what comes of a bot that does not load
    raises ValueError.
    """

    code: bytes
    runner: Runner
    models: tuple[ModelFile, ...] = ()
    scene: Callable[[int], Scene] = reference_scene
    settings: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = GATE_LIMITS
    cost: CostLimits = GATE_COST

    @functools.cached_property
    def findings(self) -> Sequence[Finding]:
        """What reading the file has found."""
        return self.runner.inspect(self.code)

    @functools.cached_property
    def introduced(self) -> Introduced | str:
        """The bot as its file presents it, without its models; a text says why there is none."""
        return self.runner.introduce(self.code.decode(), (), _LOAD_LIMITS)

    @property
    def bot(self) -> Introduced:
        """The bot, which loads."""
        if isinstance(self.introduced, str):
            raise ValueError(f"A bot that does not load cannot be tried: {self.introduced}")
        return self.introduced

    @functools.cached_property
    def subject(self) -> Subject:
        """The bot on the market of most steps."""
        return self.on(self.scene(self.bot.warm_up))

    def on(self, scene: Scene) -> Subject:
        """Return the bot on a market. Raises ConfigError for settings that do not fit its parameters."""
        declared = self.bot.parameters
        config = validate(declared, self.settings) if declared else self.settings
        setup = Setup(EXCHANGE, scene.trading_pair, scene.history.timeframe, scene.terms, config)
        return Subject(self.code.decode(), self.models, setup, scene.history, self.limits, self.runner)


def take(code: str, candidate: Candidate) -> CheckResult:
    """Take one step. Raises KeyError for one that needs the platform.

    All but the first two need a file that has passed those that `is_needed`, and raise ValueError for others.
    """
    return _STEPS[code](candidate)


def take_each(candidate: Candidate) -> Iterator[CheckResult]:
    """Take every step in turn, up to the first no after which the others make no sense."""
    for code in _STEPS:
        result = take(code, candidate)
        yield result
        if GATE_STEPS[code].is_needed and not result.passed:
            return


def _read(code: str, fine: str, candidate: Candidate) -> CheckResult:
    findings = findings_of(code, candidate.findings)
    refusals = sum(finding.is_refusal for finding in findings)
    advice = f" There is advice on {_times(len(findings) - refusals, 'line')}." if findings else ""
    sentence = f"{_times(refusals, 'finding')} to mend." if refusals else f"{fine}{advice}"
    return CheckResult(code, not refusals, sentence, findings=tuple(findings))


def _load(candidate: Candidate) -> CheckResult:
    bot = candidate.introduced
    if isinstance(bot, str):
        return CheckResult("load", False, "The file gives no bot that can be asked.", came=bot)
    names = ", ".join(parameter.name for parameter in bot.parameters) or "none"
    return CheckResult(
        "load", True, f"The bot is {bot.name}, decides after {bot.warm_up} candles; parameters: {names}."
    )


def _models(candidate: Candidate) -> CheckResult:
    if not candidate.models:
        return CheckResult("models", True, "The bot brings no model files.")
    bot = candidate.runner.introduce(candidate.code.decode(), candidate.models, candidate.limits)
    if isinstance(bot, str):
        return CheckResult("models", False, "The model files cannot be used.", came=bot)
    return CheckResult("models", True, f"The bot finds its models as {', '.join(bot.models)}.")


def _dry_runs(candidate: Candidate) -> CheckResult:
    scenes = dry_run_scenes(candidate.bot.warm_up)
    passed = f"The bot answered with an Action at every candle of {len(scenes)} dry runs."
    for scene in scenes:
        subject = candidate.on(scene)
        recording = record(subject, scene.history, is_strict=False)
        result = checks.judged_by_failures("dry_runs", subject, recording, passed=passed, place=scene.name)
        if not result.passed:
            return result
    return CheckResult("dry_runs", True, passed)


_STEPS: Mapping[str, Callable[[Candidate], CheckResult]] = {
    "source": functools.partial(_read, "source", "The file is Python in UTF-8."),
    "policy": functools.partial(_read, "policy", "The code uses what a bot may use."),
    "load": _load,
    "models": _models,
    "dry_runs": _dry_runs,
    "determinism": lambda candidate: checks.determinism(candidate.subject),
    "look_ahead": lambda candidate: checks.look_ahead(candidate.subject),
    "statelessness": lambda candidate: checks.statelessness(candidate.subject),
    "warm_up": lambda candidate: checks.warm_up(candidate.subject, candidate.bot.warm_up),
    "cost": lambda candidate: checks.cost(candidate.subject, candidate.cost),
    "reference_backtest": lambda candidate: checks.reference_backtest(candidate.subject),
}


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
