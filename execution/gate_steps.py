"""What each step of the gate does on the platform: the SDK's own steps in the sandbox, and what they lack.

The SDK lacks the exchange's candles, and the code of other developers.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from bot_sdk import checks, gate
from bot_sdk.checks import CheckResult
from bot_sdk.code_policy import Finding
from bot_sdk.configs import ALL, PERCENTAGE, ExecutionConfig, RiskConfig
from bot_sdk.desk import USUAL_SLIPPAGE_PERCENT, Terms
from bot_sdk.effective_limits import effective
from bot_sdk.gate import GATE_COST, GATE_LIMITS
from bot_sdk.gate_steps import GATE_STEPS
from bot_sdk.model_files import ModelFile
from bot_sdk.process.reply import Introduced
from bot_sdk.sample_markets import Scene, reference_scene
from bot_sdk.timeframes import floor
from bots import publishing, storage
from bots.models import BotVersion, GateStep
from exchanges.errors import CandleStoreError, ExchangeError, ExchangeUnavailable
from exchanges.models import Market
from execution import sandbox, similarity
from execution.backtesting import load_history
from execution.errors import BacktestError
from execution.sandbox import Job, Limits, Run
from subscriptions.platform_limits import platform_limits

if TYPE_CHECKING:
    from bot_sdk.backtest import Backtest

MOST_BOT_SECONDS = 1800  # that all steps together may take in the bot's processes
REFERENCE_PAIR, REFERENCE_TIMEFRAME = "BTC/USDT", "1h"
REFERENCE_PERIOD = timedelta(days=30)
REFERENCE_CAPITAL = Decimal(10_000)
LONGEST_WAIT_SECONDS = 60.0  # for an exchange, before the sample market has to do
_SETTLED = timedelta(days=1)  # so old are the newest candles that are asked for

TOO_LONG = "The steps so far took the bot more than {minutes:.0f} minutes: its decisions are too slow."
COPIED = "Most of the code is that of {bot}, which somebody else has published."
ALIKE = "Half of the code or more is like that of {bot}, which somebody else has published: a person decides."
SAMPLE = "Half of the code or more is the SDK's sample {sample}: it is no work of its own yet."
OWN = "The code is like no published bot of anybody else, and like no sample of the SDK."
WHERE_SAMPLE = "{exchange} did not answer, so it was the sample market."


class TooLong(Exception):
    """The bot has had all the time that the gate gives it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a step has found, as `GateStep` keeps it; `keep` writes what follows from it."""

    state: GateStep.State
    sentence: str
    evidence: Sequence[Mapping[str, Any]] = ()
    keep: Callable[[], object] = lambda: None


class Candidate:
    """A version at the gate. `sign` is called again and again while it is at work, and may raise."""

    def __init__(self, version: BotVersion, *, sign: Callable[[], None]) -> None:
        self.version = version
        self.sign = sign
        self._runner = _Watched(sign)

    @functools.cached_property
    def code(self) -> bytes:
        """The file. Raises ArtifactError, as all that reads does."""
        return storage.read_source(self.version)

    @functools.cached_property
    def models(self) -> tuple[ModelFile, ...]:
        return storage.read_models(self.version)

    @functools.cached_property
    def tried(self) -> gate.Candidate:
        """The bot as the SDK's steps take it, on the sample market."""
        return gate.Candidate(code=self.code, models=self.models, runner=self._runner, cost=GATE_COST)


class _Watched:
    """The sandbox, which gives a sign at each turn and adds up the time that bots take. Raises TooLong."""

    def __init__(self, sign: Callable[[], None]) -> None:
        self._sign = sign
        self._seconds = 0.0

    def inspect(self, code: bytes) -> Sequence[Finding]:
        self._sign()
        return sandbox.inspect(code)

    def introduce(self, code: str, models: Sequence[ModelFile], limits: Limits) -> Introduced | str:
        self._sign()
        return sandbox.introduce(code, models, limits)

    def run(self, job: Job, limits: Limits) -> Run:
        self._sign()
        return self._counted(sandbox.run(job, limits))

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
        def still_goes_on() -> bool:
            self._sign()
            return goes_on()

        run = sandbox.rehearse(backtest, code, models, limits, is_strict=is_strict, goes_on=still_goes_on)
        return self._counted(run)

    def _counted(self, run: Run) -> Run:
        self._seconds += run.seconds
        if self._seconds > MOST_BOT_SECONDS:
            raise TooLong
        return run


def take(code: str, candidate: Candidate) -> Found:
    """Take one step. Raises ArtifactError and RunUnavailable, which say nothing about the bot."""
    try:
        return _STEPS.get(code, _take_with_sdk)(code, candidate)
    except TooLong:
        return Found(GateStep.State.FAILED, TOO_LONG.format(minutes=MOST_BOT_SECONDS / 60))


def _take_with_sdk(code: str, candidate: Candidate) -> Found:
    return _found(gate.take(code, candidate.tried))


def _found(result: CheckResult, **more: Any) -> Found:
    """Return what the SDK's step has found as the gate keeps it."""
    evidence: list[dict[str, Any]] = [
        {"line": each.line, "code": each.rule, "message": _said(each)} for each in result.findings
    ]
    seen = {
        "opened_at": result.failed_at and result.failed_at.isoformat(),
        "expected": result.expected,
        "came": result.came,
        "message": result.place,
    }
    if shown := {name: value for name, value in seen.items() if value}:
        evidence.append(shown)
    state = GateStep.State.PASSED if result.passed else GateStep.State.FAILED
    if result.findings if result.passed else GATE_STEPS[result.code].is_advice:
        state = GateStep.State.ADVICE
    return replace(Found(state, result.sentence, evidence), **more)


def _said(finding: Finding) -> str:
    return finding.message if finding.is_refusal else f"Advice: {finding.message}"


def _load(code: str, candidate: Candidate) -> Found:
    """Load the bot, and note what it declares, unless it is published: then that is settled."""
    found = _found(gate.take(code, candidate.tried))
    bot = candidate.tried.introduced
    if isinstance(bot, str) or candidate.version.state != BotVersion.State.CHECKING:
        return found
    return replace(
        found,
        keep=lambda: publishing.declare(
            version=candidate.version,
            parameters=bot.parameters,
            warm_up=bot.warm_up,
            risk_defaults=bot.risk_defaults,
        ),
    )


def _statelessness(code: str, candidate: Candidate) -> Found:
    """Note whether the bot keeps anything; one that does may be published all the same."""
    result = gate.take(code, candidate.tried)
    versions = BotVersion.objects.filter(pk=candidate.version.pk)
    return _found(result, keep=lambda: versions.update(is_stateless=result.passed))


def _reference_backtest(_: str, candidate: Candidate) -> Found:
    """Backtest the bot on the marketplace's own market, or on the sample market when that cannot be had."""
    try:
        scene, note = _exchange_scene(candidate), ""
    except (BacktestError, CandleStoreError, ExchangeError, Market.DoesNotExist):
        scene = reference_scene(max(candidate.version.warm_up, 1))
        note = WHERE_SAMPLE.format(exchange=settings.DEFAULT_EXCHANGE)
    limits = replace(GATE_LIMITS, seconds=settings.BACKTEST_TIMEOUT)
    result = checks.reference_backtest(replace(candidate.tried, limits=limits).on(scene))
    return _found(result, sentence=" ".join(filter(None, (f"{scene.name}: {result.sentence}", note))))


def _exchange_scene(candidate: Candidate) -> Scene:
    market = Market.objects.get(exchange=settings.DEFAULT_EXCHANGE, trading_pair=REFERENCE_PAIR)
    ends_at = floor("1d", timezone.now() - _SETTLED)
    begins_at = ends_at - REFERENCE_PERIOD
    history = load_history(
        market,
        REFERENCE_TIMEFRAME,
        begins_at,
        ends_at,
        fetched=lambda _: candidate.sign(),
        wait=functools.partial(_wait, candidate.sign),
    )
    terms = Terms(
        capital=REFERENCE_CAPITAL,
        rules=market.rules,
        execution=ExecutionConfig.parse(
            {"buy_order_type": PERCENTAGE, "buy_order_value": 10.0, "sell_order_type": ALL}
        ),
        risk=effective(RiskConfig.parse(candidate.version.risk_defaults), platform_limits()),
        slippage_percent=USUAL_SLIPPAGE_PERCENT,
    )
    name = f"{market} {REFERENCE_TIMEFRAME} from {begins_at:%Y-%m-%d} to before {ends_at:%Y-%m-%d}"
    return Scene(name, market.trading_pair, history, terms)


def _wait(sign: Callable[[], None], seconds: float) -> None:
    if seconds > LONGEST_WAIT_SECONDS:
        raise ExchangeUnavailable(f"It is not to be asked for {seconds:.0f} seconds.")
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        sign()
        time.sleep(min(left, 1.0))


def _similarity(_: str, candidate: Candidate) -> Found:
    """Compare the code with what other developers have published, and with the SDK's samples."""
    version = candidate.version
    shape = similarity.keep_shape(version, candidate.code.decode())
    if (near := similarity.nearest_bot(version, shape)) is not None:
        if near.is_copy:
            return Found(GateStep.State.FAILED, COPIED.format(bot=near.of))
        return Found(GateStep.State.ADVICE, ALIKE.format(bot=near.of))
    if (sample := similarity.nearest_sample(shape)) is not None:
        return Found(GateStep.State.ADVICE, SAMPLE.format(sample=sample.of))
    return Found(GateStep.State.PASSED, OWN)


_STEPS: Mapping[str, Callable[[str, Candidate], Found]] = {
    "load": _load,
    "statelessness": _statelessness,
    "reference_backtest": _reference_backtest,
    "similarity": _similarity,
}
