"""Make a cycle's decision again, from what its receipt names, and say whether the same comes out.

The bot is given what it was given then: the settings of the cycle's revision, the window built anew from the
stored candles, and to its questions the answers that were kept. Where one of them is not what it was, that is
said; where all are and another answer comes out, the bot does not decide by its inputs alone.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings

from bot_sdk.bot import ACCOUNT_QUESTIONS, Snapshot
from bots.errors import ArtifactError
from exchanges.errors import CandleStoreError
from exchanges.frames import Frames, rebuilt
from exchanges.gateway import Ticker
from execution import reruns, sandbox
from execution.cycle import MarketMoment, MarketView, limits, view_of
from execution.deciding import job_of
from execution.errors import RerunError
from execution.loading import load
from execution.models import Cycle, Replay
from execution.sandbox import Receipt, Run, Verdict, receipt_of
from subscriptions import changing

logger = logging.getLogger(__name__)

LEASE_SECONDS = settings.BOT_EXECUTION_TIMEOUT + 120  # the bot's own, and what candles and jail take
OUR_FAULT = "Something failed on our side. We were told."
SETTINGS_ARE_LOST = "The settings of then were changed since, and were not kept at that time."
CANDLES_ARE_LOST = "None of the candles that the bot saw is stored any more."
NOT_KEPT = "This was not asked then, so the answer was not kept."

CODE = "The code is another one than then."
MODEL = "The file is another one than then."
CONFIGURATION = "The bot is given other settings than then: a limit of the platform's was changed."
WINDOW_MOVED = "Other candles are stored now than then."
WINDOW_CHANGED = (
    "It is as many candles of the same times, but a figure among them, or in their indicators, is another: "
    "a candle was corrected, or a library computes otherwise."
)
RUNTIME = "The interpreter, a library or the bots' SDK is another version than then."
ASKED_CANDLES = "The candles that it asked for are not what they were."


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was: in a run's inputs, or in what came out of it."""

    label: str
    then: str
    now: str
    says: str = ""
    is_input: bool = False


def run(replay_id: int) -> None:
    """Run one replay that waits; nothing when another worker has it."""
    replay = reruns.claim(Replay.objects.all(), replay_id, LEASE_SECONDS)
    if replay is None:
        return
    cycles = Cycle.objects.select_related("subscription__market", "subscription__version__bot")
    cycle = cycles.get(pk=replay.cycle_id)
    try:
        receipt, answer = _decide_again(cycle)
    except (RerunError, ArtifactError, CandleStoreError) as error:
        reruns.finish(replay, state=Replay.State.FAILED, message=str(error))
    except Exception:
        logger.exception("Replay %s failed on our side", replay_id)
        reruns.finish(replay, state=Replay.State.FAILED, message=OUR_FAULT)
    else:
        outcome = list(_differing_answers(cycle, answer))
        differences = [*_differing_inputs(cycle, receipt, answer), *outcome]
        reruns.finish(
            replay,
            state=Replay.State.DONE,
            answer=_kept(answer),
            is_same=not outcome,
            differences=[asdict(each) for each in differences],
        )


def _decide_again(cycle: Cycle) -> tuple[Receipt, Run]:
    """Return the run, and the receipt for what went into it. Raises what keeps the bot from being asked."""
    subscription = cycle.subscription
    then = changing.settings_at(subscription, cycle.revision)
    if then is None:
        raise RerunError(SETTINGS_ARE_LOST)
    if refused := reruns.refusal(then.version):
        raise RerunError(refused)
    package, view = load(then.version), _view_again(cycle)
    job = replace(
        job_of(view, package, reruns.config_after(subscription, then)),
        snapshot=_Told(cycle.asked, Snapshot(float(view.ticker.last), candles=view.newest_candles)),
        is_shared=False,
    )
    answer = sandbox.run(job, limits(settings.BOT_EXECUTION_TIMEOUT))
    if answer.verdict == Verdict.UNAVAILABLE:
        raise RerunError(answer.message)
    return receipt_of(job, view.candles), answer


def _view_again(cycle: Cycle) -> MarketView:
    market, timeframe, opened_at = (
        cycle.subscription.market,
        cycle.subscription.timeframe,
        cycle.candle_opened_at,
    )
    since = cycle.receipt.get("candles", {}).get("since")
    if since:
        seen = rebuilt(market, timeframe, opened_at, datetime.fromisoformat(since))
    else:
        seen = Frames(limit=1).of(market, timeframe, opened_at)
    if not len(seen.window):
        raise RerunError(CANDLES_ARE_LOST)
    assert cycle.price is not None  # what ran has one
    ticker = Ticker(last=cycle.price, bid=cycle.price, ask=cycle.price, at=cycle.started_at)
    return view_of(seen, MarketMoment(market, timeframe, opened_at, ticker))


class _Told:
    """Answers as a cycle's bot was answered. Candles are looked up anew; of them only a hash was kept."""

    def __init__(self, asked: Sequence[Mapping[str, Any]], market: Snapshot) -> None:
        self._answers = {(each["question"], *each["arguments"]): each["answer"] for each in asked}
        self._market = market

    def answer(self, question: str, *arguments: Any) -> Any:
        """Return the answer. Raises ValueError for what was refused then, or about the account not asked."""
        known = self._answers.get((question, *arguments))
        if question == "candles" or (known is None and question not in ACCOUNT_QUESTIONS):
            return self._market.answer(question, *arguments)
        if known is None:
            raise ValueError(NOT_KEPT)
        if isinstance(known, dict) and known.keys() == {"error"}:
            raise ValueError(known["error"])
        return known


def _differing_inputs(cycle: Cycle, now: Receipt, answer: Run) -> Iterator[Difference]:
    then = Receipt(**cycle.receipt)
    if then.code != now.code:
        yield Difference("Code", then.code, now.code, CODE, is_input=True)
    for name in sorted(then.models.keys() | now.models.keys()):
        before, after = then.models.get(name, "–"), now.models.get(name, "–")
        if before != after:
            yield Difference(name, before, after, MODEL, is_input=True)
    if then.configuration != now.configuration:
        yield Difference("Settings", then.configuration, now.configuration, CONFIGURATION, is_input=True)
    if then.window != now.window:
        yield _differing_window(then, now)
    if then.runtime != now.runtime:
        names = then.runtime_name, now.runtime_name
        before, after = names if names[0] and names[0] != names[1] else (then.runtime, now.runtime)
        yield Difference("Libraries", before, after, RUNTIME, is_input=True)
    asked_now, asked_then = (
        {(each["question"], *each["arguments"]): each["answer"] for each in asked}
        for asked in (_asked(answer), cycle.asked)
    )
    if any(asked_then[each] != told for each, told in asked_now.items() if each in asked_then):
        yield Difference("Candles asked for", "", "", ASKED_CANDLES, is_input=True)


def _differing_window(then: Receipt, now: Receipt) -> Difference:
    spans = [{name: each.candles.get(name) for name in ("first", "last", "count")} for each in (then, now)]
    if then.candles and spans[0] != spans[1]:
        before, after = (f"{each['count']} candles, {each['first']} to {each['last']}" for each in spans)
        return Difference("Candles", before, after, WINDOW_MOVED, is_input=True)
    return Difference("Candles and indicators", then.window, now.window, WINDOW_CHANGED, is_input=True)


def _differing_answers(cycle: Cycle, answer: Run) -> Iterator[Difference]:
    now = _kept(answer)
    then = {"verdict": cycle.verdict, "action": cycle.action, "value": cycle.value, "reason": cycle.reason}
    for name, before in then.items():
        if before != now[name]:
            yield Difference(name.capitalize(), str(before), str(now[name]))
    questions = [
        [(each["question"], *each["arguments"]) for each in asked] for asked in (cycle.asked, _asked(answer))
    ]
    if questions[0] != questions[1]:
        before, after = (", ".join(" ".join(map(str, each)) for each in asked) for asked in questions)
        yield Difference("What it asked", before or "nothing", after or "nothing")


def _kept(answer: Run) -> dict[str, Any]:
    """Return the answer as cycles keep theirs."""
    action = answer.action
    return {
        "verdict": str(answer.verdict),
        "message": answer.message,
        "action": action.action if action else "",
        "value": action.value if action else None,
        "reason": action.reason[:500] if action else "",
        "log": answer.log,
        "seconds": answer.seconds,
        "cpu_seconds": answer.cpu_seconds,
        "peak_memory_mb": answer.peak_memory_mb,
    }


def _asked(answer: Run) -> list[dict[str, Any]]:
    """Return what the bot asked, as it comes back from the database."""
    found: list[dict[str, Any]] = json.loads(json.dumps([asdict(each) for each in answer.asked]))
    return found
