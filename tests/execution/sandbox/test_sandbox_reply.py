import gc
import json
import math
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_sdk import Action
from bot_sdk.process.reply import LONGEST_REPLY, Answer, Question, parse_line
from execution.sandbox import Verdict

VALID = {"action": "BUY", "value": 1.5, "reason": "why"}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ALMOST_ACTIONS = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["BUY", "SELL", "HOLD", "buy"]) | JSON_VALUES,
        "value": st.floats() | st.integers() | JSON_VALUES,
        "reason": st.text(st.characters(), max_size=600) | JSON_VALUES,
    }
)
ALMOST_QUESTIONS = st.fixed_dictionaries(
    {
        "ask": st.sampled_from(["balance", "candles"]) | JSON_VALUES,
        "with": st.lists(JSON_VALUES) | JSON_VALUES,
    }
)
ALMOST_VERDICTS = st.fixed_dictionaries(
    {"verdict": st.sampled_from([*Verdict]) | JSON_VALUES, "message": st.text() | JSON_VALUES}
)


def line(**changes: Any) -> bytes:
    return json.dumps(VALID | changes).encode()


def answer_in(reply: bytes) -> Answer:
    said = parse_line(reply)
    assert isinstance(said, Answer)
    return said


def assert_is_sound(reply: bytes) -> None:
    answer = parse_line(reply)
    if isinstance(answer, Question):
        assert len(answer.arguments) <= 4
        assert answer.name.isprintable()
        return
    assert (answer.action is not None) == (answer.verdict == Verdict.OK)
    assert answer.verdict not in (Verdict.UNAVAILABLE, Verdict.CRASHED, Verdict.TIMED_OUT)
    if answer.action is not None:
        assert answer.action.action in ("BUY", "SELL", "HOLD")
        assert math.isfinite(answer.action.value)
        assert answer.action.value >= 0
        assert len(answer.action.reason) <= 500
        assert answer.action.reason.isprintable()
        answer.action.reason.encode()


def test_an_action_comes_through() -> None:
    answer = answer_in(line())

    assert (answer.verdict, answer.action) == (Verdict.OK, Action("BUY", 1.5, "why"))


def test_a_process_may_say_that_its_bot_failed() -> None:
    answer = answer_in(b'{"verdict": "FAILED", "message": "KeyError: \'rsi\'"}')

    assert (answer.verdict, answer.action, answer.message) == (Verdict.FAILED, None, "KeyError: 'rsi'")


@pytest.mark.parametrize("verdict", ["OK", "UNAVAILABLE", "CRASHED", "TIMED_OUT", "", 1, None, [], {}])
def test_a_process_may_not_name_a_verdict_that_only_we_can_see(verdict: object) -> None:
    reply = json.dumps({"verdict": verdict, "message": "x"}).encode()

    assert answer_in(reply).verdict == Verdict.BAD_REPLY


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (b"", "Expecting value"),
        (b"hello", "Expecting value"),
        (b"\xff\xfe", "can't decode"),
        (b"[]", "expected an object, got list"),
        (b"{}", "unexpected keys"),
        (line(extra=1), "unexpected keys 'action', 'value', 'reason', 'extra'"),
        (b'{"action": "BUY", "value": 1, "value": 2, "reason": ""}', "a key comes twice"),
        (b'{"action": "BUY", "value": NaN, "reason": ""}', "NaN is not a number"),
        (b'{"action": "BUY", "value": Infinity, "reason": ""}', "Infinity is not a number"),
        (b'{"action": "BUY", "value": 1e400, "reason": ""}', "finite"),
        (b'{"action": "BUY", "value": ' + b"9" * 400 + b', "reason": ""}', "finite"),
        (b'{"action": "BUY", "value": ' + b"9" * 5000 + b', "reason": ""}', "digits"),
        (line(value=-1), "zero or more"),
        (line(value=True), "must be a number"),
        (line(value="1"), "must be a number"),
        (line(action="buy"), "BUY"),
        (line(action=["BUY"]), "BUY"),
        (line(reason=None), "must be text"),
        (line(reason="x" * 501), "longer than 500 characters"),
        (b"[" * 60_000, "nested too deeply"),
        (b" " * (LONGEST_REPLY + 1), "longer than 64 KB"),
    ],
)
def test_anything_else_is_a_bad_reply_that_says_why(reply: bytes, problem: str) -> None:
    answer = answer_in(reply)

    assert (answer.verdict, answer.action) == (Verdict.BAD_REPLY, None)
    assert problem in answer.message
    assert len(answer.message) < 600


def test_what_a_terminal_or_a_page_could_obey_is_taken_out_of_texts() -> None:
    reason = "up\n\x00\x1b[31m\u202etxet\u200b\ud800 é 漢"

    action = answer_in(line(reason=reason)).action
    failure = answer_in(json.dumps({"verdict": "FAILED", "message": reason}).encode())

    assert action is not None
    assert action.reason == failure.message == "up   [31m txet   é 漢"


@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_no_bytes_raise(reply: bytes) -> None:
    assert_is_sound(reply)


@given(JSON_VALUES | ALMOST_ACTIONS | ALMOST_VERDICTS | ALMOST_QUESTIONS)
def test_no_json_raises(reply: Any) -> None:
    assert_is_sound(json.dumps(reply).encode())


def test_a_question_comes_through_with_its_arguments() -> None:
    assert parse_line(b'{"ask": "balance", "with": ["USDT", 1, null]}') == Question(
        "balance", ("USDT", 1, None)
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (1, []),
        ("x" * 101, []),
        ("bal\u202eance", []),
        ("balance", {"0": "USDT"}),
        ("balance", [1] * 5),
        ("balance", [[]]),
        ("balance", ["x" * 101]),
        ("candles", [2**60]),
    ],
)
def test_a_misshapen_question_is_a_bad_reply(name: object, arguments: object) -> None:
    assert answer_in(json.dumps({"ask": name, "with": arguments}).encode()).verdict == Verdict.BAD_REPLY


def test_mutated_lines_raise_nothing_and_leave_no_memory_behind() -> None:
    dice = random.Random(20261122)
    seeds = [line(), b'{"ask": "balance", "with": ["USDT"]}', b'{"verdict": "FAILED", "message": "x"}']
    pieces = [b"{", b"}", b'"', b"\\u", b"\xff", b"1e999", b"[" * 50, b"NaN", b":", b",", b"9" * 50, b"\0"]

    def mutated() -> bytes:
        text = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(len(text) + 1)
            text[at : at + dice.randint(0, 4)] = dice.choice(pieces)
        return bytes(text)

    def growth(rounds: int) -> int:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(rounds):
            assert_is_sound(mutated())
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        growth(2_000)
        assert growth(20_000) < 50_000
    finally:
        tracemalloc.stop()
