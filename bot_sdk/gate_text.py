"""What the gate has found, as text for a terminal."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot_sdk.checks import CheckResult
from bot_sdk.gate_steps import GATE_STEPS

_CODE, _WORD = 19, 4
_INDENT = " " * (_CODE + _WORD + 2)
_WIDTH = 100


def as_lines(result: CheckResult, bot: Path) -> Iterator[str]:
    """Yield a line for the step, and below it what to look at and how to mend it when it said no."""
    step = GATE_STEPS[result.code]
    word = "ok" if result.passed else "look" if step.is_advice else "NO"
    yield _wrapped(result.sentence, f"{result.code:<{_CODE}} {word:<{_WORD}} ")
    for finding in result.findings:
        kind = "mend" if finding.is_refusal else "advice"
        yield _wrapped(f"{bot}:{finding.line}: {finding.rule}, {kind}: {finding.message}", _INDENT)
    if result.failed_at:
        yield _wrapped(f"At the candle of {result.failed_at:%Y-%m-%d %H:%M} UTC", _INDENT)
    if result.expected is not None:
        yield _wrapped(f"expected {result.expected}", _INDENT + "  ")
    if result.came is not None:
        yield _wrapped(f"came     {result.came}", _INDENT + "  ")
    if not result.passed:
        yield _wrapped(f"How to mend it: {step.mend}", _INDENT)


def refusals(results: Mapping[str, CheckResult]) -> list[str]:
    """Return the codes of the steps that keep the bot out."""
    return [code for code, result in results.items() if not result.passed and not GATE_STEPS[code].is_advice]


def conclusion(results: Mapping[str, CheckResult]) -> str:
    """Return what the steps together came to, by code."""
    refused = refusals(results)
    platform = ", ".join(code for code, step in GATE_STEPS.items() if step.needs_platform)
    left_out = [code for code, step in GATE_STEPS.items() if code not in results and not step.needs_platform]
    if not refused:
        return f"Every step that needs no marketplace said yes. Left to the marketplace: {platform}."
    text = f"{', '.join(refused)} said no."
    return f"{text} Not taken because of that: {', '.join(left_out)}." if left_out else text


def _wrapped(text: str, begin: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )
