"""The policy is a first filter; these tests hold it to its tables, its limits and its manners."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot_sdk import code_policy
from bot_sdk.code_policy import MAX_BYTES, MAX_FINDINGS, MODULES, Finding, check

ROOT = Path(__file__).parents[2]
SECONDS = 10  # for any file; ordinary ones take milliseconds

BOT = """\
from bot_sdk import Action, CustomBot


class Buyer(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", data["close"].iloc[-1], "always")
"""
LINES_OF_BOT = BOT.count("\n")

RULES = (
    *("algorithm", "attribute", "clock", "depth", "dunder", "dynamic", "encoding", "import", "loop", "more"),
    *("name", "output", "random", "size", "state", "syntax", "thread"),
)

LSTM_BOT = """\
from bot_sdk import CustomBot, Action
import numpy as np

class LSTMBot(CustomBot):
    def __init__(self, config, api_keys):
        super().__init__(config, api_keys)
        self.sequence_length = config.get('sequence_length', 60)
        if 'models' in config:
            self.model = config['models']['MODEL']
            self.scaler = config['models']['SCALER']

    def execute_algorithm(self, data, timeframe, subscription_config):
        prediction = self.model.predict(self.prepare_lstm_features(data))
        if prediction[0][0] > 0.02 and abs(prediction[0][0]) > 0.7:
            return Action("BUY", data['close'].iloc[-1], f"LSTM prediction: {prediction[0][0]:.4f}")
        else:
            return Action("HOLD", data['close'].iloc[-1], f"LSTM uncertain: {prediction[0][0]:.4f}")

    def prepare_lstm_features(self, data):
        features = data[['open', 'high', 'low', 'close', 'volume']].values
        sequence = self.scaler.transform(features)[-self.sequence_length:]
        return sequence.reshape(1, self.sequence_length, -1)
"""

ML_BOT = """\
class MLBot(CustomBot):
    def __init__(self, config, api_keys):
        super().__init__(config, api_keys)
        self.bot_type = "ML"

    def execute_algorithm(self, data, timeframe, subscription_config):
        if self.model.predict(self.scaler.transform(data)) > 0.7:
            return Action("BUY", data['close'].iloc[-1], "ML Buy Signal")
        return Action("HOLD", data['close'].iloc[-1], "ML Hold Signal")
"""


def beside_a_bot(code: str) -> list[Finding]:
    """Return what is found in the code when it follows a faultless bot, with lines counted from its own."""
    found = check(BOT + code)
    return [Finding(each.line - LINES_OF_BOT, each.rule, each.message, each.is_refusal) for each in found]


def refusals(found: list[Finding]) -> list[tuple[int, str]]:
    return sorted({(each.line, each.rule) for each in found if each.is_refusal})


def advice(found: list[Finding]) -> list[tuple[int, str]]:
    return sorted({(each.line, each.rule) for each in found if not each.is_refusal})


# --- What is fine -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rsi_bot", "moving_average_cross", "bollinger_reversion"])
def test_the_examples_have_no_findings(name: str) -> None:
    assert check((ROOT / "bot_sdk" / "examples" / f"{name}.py").read_bytes()) == []


@pytest.mark.parametrize("code", [LSTM_BOT, ML_BOT, BOT, BOT.replace("\n", "\r\n")])
def test_the_bots_of_the_guide_have_no_findings(code: str) -> None:
    assert check(code) == check(code.encode()) == []


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("__future__", "threading")])
def test_a_listed_module_may_be_imported(module: str) -> None:
    assert beside_a_bot(f"import {module}") == []


@pytest.mark.parametrize(
    "code",
    [
        "from __future__ import annotations",
        "from collections.abc import Mapping",
        "from numpy.lib.stride_tricks import sliding_window_view",
        "from sklearn.preprocessing import StandardScaler",
        "import pandas as pd\npd.options.mode.copy_on_write = True",
        "import numpy as np\nnoise = np.random.default_rng(7).normal()",
        "import random\nrandom.seed(7)\nx = random.random()",
        "import json\nx = json.loads('{}')",
        "def above(open, close): return close > open",
        "open, close = 1, 2\nis_up = close > open",
        "x = frame.to_numpy(), frame.to_dict(), frame.to_string(), frame.query('rsi < 30')",
        "x = getattr(frame, 'close')",
        "class Rule:\n    '''Has __init__ and __globals__ in its docstring.'''\n    def __repr__(self): pass",
        "class Rule:\n    def f(self): return self._limit, self.os, type(self).__name__",
        "if __name__ == '__main__':\n    print('a bot')",
        "# \u26a0\ufe0f \U0001f9d1\u200d\U0001f33e \u2764\ufe0f\u200d\U0001f525",
        "while True:\n    break",
        "while True:\n    yield 1",
        "grid = {'scaler__forest__depth': 3}",
        "préço = Δ = 'ＢＵＹ, 買い'",
        "# coding: utf-8 is said too late to count, and so is coding: latin-1",
    ],
)
def test_ordinary_code_has_no_findings(code: str) -> None:
    assert beside_a_bot(code) == []


# --- What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "rule", "words"),
    [
        ("import os", "import", "files"),
        ("import urllib.request", "import", "network"),
        ("import ccxt.pro as x", "import", "get_balance"),
        ("from subprocess import run", "import", "processes"),
        ("import importlib", "import", "interpreter"),
        ("import ctypes", "import", "machine code"),
        ("import joblib", "import", "self.config['models']"),
        ("import tensorflow as tf", "import", "ONNX"),
        ("import leftpad", "import", "one of the modules"),
        ("from . import other", "import", "one file"),
        ("from numpy import *", "import", "name those that you use"),
        ("from pandas.io import common", "attribute", "own machinery"),
        ("from numpy import load", "attribute", "files"),
        ("from bot_sdk import _snapshot", "attribute", "private"),
        ("import bot_sdk\nx = bot_sdk._rpc('get_api_keys')", "attribute", "private"),
        ("import pandas as pd\nx = pd.io.common.os.system('id')", "attribute", "pandas.io"),
        ("import pandas as pd\nx = pd.read_csv('x.csv')", "attribute", "read_csv"),
        ("import numpy as np\nx = np.lib.stride_tricks.as_strided(y)", "attribute", "memory"),
        ("import numpy as np\nx = np.ctypeslib", "attribute", "memory"),
        ("import pandas as pd\nx = pd.eval(y)", "attribute", "runs text as code"),
        ("from operator import attrgetter", "attribute", "by text"),
        (
            "import pandas as pd\npd.DataFrame.mean = None",
            "attribute",
            "for everything that uses the library",
        ),
        ("import pandas as pd\nsetattr(pd, 'x', 1)", "attribute", "for everything that uses the library"),
        ("frame.to_csv('x.csv')", "attribute", "to_csv"),
        ("frame.to_json('x.json')", "attribute", "to_json"),
        ("frame.to_string(buf='x')", "attribute", "to_string"),
        ("x = generator.gi_frame.f_builtins", "attribute", "frames"),
        ("x = getattr(y, 'f_globals')", "attribute", "frames"),
        ("match y:\n    case object(f_globals=g): pass", "attribute", "frames"),
        ("import numpy as np\nx = np.array(y, allow_pickle=True)", "attribute", "while it loads them"),
        ("x = eval('1')", "name", "runs text as code"),
        ("f = exec", "name", "runs text as code"),
        ("x = __import__('os')", "name", "import statement"),
        ("x = open('x')", "name", "files"),
        ("x = globals()", "name", "by text"),
        ("x = input()", "name", "Parameter"),
        ("exit()", "name", "return an Action"),
        ("x = ｅval('1')", "name", "`eval`"),
        ("сlоse = 1", "name", "another alphabet"),
        ("x = ().__class__.__base__", "dunder", "__base__"),
        ("x = __builtins__", "dunder", "hooks"),
        ("x = '{0.__globals__}'", "dunder", "in a text"),
        ("class A:\n    def __del__(self): pass", "dunder", "__del__"),
        ("class A:\n    __class__ = int", "dunder", "__class__"),
        ("class A(str):\n    def __eq__(self, other): return True", "dunder", "what it is not"),
        ("import threading\nthreading.Thread(target=f).start()", "thread", "starts a thread"),
        ("from threading import Timer", "thread", "starts a thread"),
    ],
)
def test_a_refusal_names_the_line_the_reason_and_a_way_out(code: str, rule: str, words: str) -> None:
    last_line = 1 + code.count("\n")

    found = [each for each in beside_a_bot(code) if each.is_refusal]

    assert any((each.line, each.rule) == (last_line, rule) and words in each.message for each in found)
    assert all("; " in each.message and each.message.endswith(".") for each in found)


# --- What is advice -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import time\nx = time.time()", "clock"),
        ("import time\ntime.sleep(1)", "clock"),
        ("import datetime as dt\nx = dt.datetime.now()", "clock"),
        ("import pandas as pd\nx = pd.Timestamp.utcnow()", "clock"),
        ("import random\nx = random.random()", "random"),
        ("import random\nx = random.Random()", "random"),
        ("import numpy as np\nx = np.random.rand()", "random"),
        ("import numpy as np\nx = np.random.default_rng()", "random"),
        ("import threading\nx = threading.Lock()", "thread"),
        ("for x in y:\n    print(x)", "output"),
        ("while True:\n    pass", "loop"),
        ("def f():\n    global x", "state"),
        ("x = 0\ny = getattr(x, name)", "dynamic"),
        ("x = 0\ny = type('X', (), {})", "dynamic"),
        ("x = 0\ny = frame.query(text)", "dynamic"),
        ("x = 0\ny = thing.load('x')", "attribute"),
        ("x = 0\ny = thing._inner", "attribute"),
        ("x = 0\ny = '_' * 2 + 'class'", "dunder"),
        ("x = 0\ny = '\\d'", "syntax"),
        ("open = 1\nopen('x')", "name"),
        ("x = 0\nasync def f(): return 1", "algorithm"),
        ("from bot_sdk import Action\nx = Action('ＢＵＹ', 1.0)", "algorithm"),
    ],
)
def test_suspicious_code_with_honest_uses_is_advice(code: str, rule: str) -> None:
    found = beside_a_bot(code)

    assert refusals(found) == []
    assert (1 if rule == "loop" else 2, rule) in advice(found)


# --- The bot ------------------------------------------------------------------------------------------------

HEAD = "from bot_sdk import Action, CustomBot\n"
ALGORITHM = "    def execute_algorithm(self, data, timeframe, config): return Action('HOLD', 1.0)\n"


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        ("x = 1\n", 1, "No bot found"),
        ("class A: pass\n", 1, "No bot found"),
        ("class A(CustomBot): pass\n", 2, "no algorithm"),
        ("class A(CustomBot):\n" + ALGORITHM + "class B(CustomBot):\n" + ALGORITHM, 4, "one more class"),
        ("class A(CustomBot): pass\nclass B(A):\n" + ALGORITHM, 3, "one more class"),
        ("class A(CustomBot):\n    async" + ALGORITHM[3:], 3, "async or yields"),
        ("class A(CustomBot):\n    def execute_algorithm(self, a, b, c): yield 1\n", 3, "async or yields"),
        ("class A(CustomBot):\n    def execute_algorithm(self, data): return run()\n", 3, "three values"),
        (
            "class A(CustomBot):\n    def execute_algorithm(self, a, b, c, d): return run()\n",
            3,
            "three values",
        ),
        (
            "class A(CustomBot):\n    def __init__(self): super().__init__({}, {})\n" + ALGORITHM,
            3,
            "two values",
        ),
    ],
)
def test_a_file_without_exactly_one_usable_bot_is_refused(code: str, line: int, words: str) -> None:
    (found,) = check(HEAD + code)

    assert (found.line, found.rule, found.is_refusal) == (line, "algorithm", True)
    assert words in found.message


@pytest.mark.parametrize(
    "code",
    [
        "class A(make_base()):\n" + ALGORITHM,
        "class A(CustomBot, Mixin()): pass\n",
        "if x:\n    class A(CustomBot): pass\nelse:\n    class B(CustomBot): pass\n",
        "class A(CustomBot):\n    def execute_algorithm(self, a, b, c): return None\n",
        "class A(CustomBot):\n    def execute_algorithm(self, a, b, c): pass\n",
        "class A(CustomBot):\n    def __init__(self, config, api_keys): pass\n" + ALGORITHM,
    ],
)
def test_a_bot_that_reading_cannot_judge_gets_advice(code: str) -> None:
    (found,) = check(HEAD + code)

    assert (found.rule, found.is_refusal) == ("algorithm", False)


@pytest.mark.parametrize(
    "code",
    [
        "import bot_sdk\nclass A(bot_sdk.CustomBot):\n    execute_algorithm = run\n",
        "from bot_sdk import CustomBot as B\nclass A(B):\n    def execute_algorithm(self, *a): return x\n",
        HEAD + "class Helper: pass\nclass A(CustomBot):\n" + ALGORITHM,
        HEAD + "class A(CustomBot):\n    def execute_algorithm(self, a, b, c=None, d=1): raise ValueError\n",
    ],
)
def test_a_bot_may_be_declared_in_other_ways(code: str) -> None:
    assert check(code) == []


# --- Text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "rule", "words"),
    [
        (b"x = 1\n# \xff", 2, "encoding", "not text in UTF-8"),
        ("x = 1\n# \ud800", 2, "encoding", "not text in UTF-8"),
        ("x = 1\n# \0", 2, "encoding", "U+0000"),
        ("# \x1b[2K", 1, "encoding", "U+001B"),
        ("# a\rimport math", 1, "encoding", "line ends"),
        ("x = 1\r\n# \u202e", 2, "encoding", "direction"),
        ("x = 1\nlimit\ufe00 = 2", 2, "encoding", "cannot be seen"),
        ("x = 1\ny = 'BUY\u200d'", 2, "encoding", "cannot be seen"),
        ("x = 1\rimport os\r", 1, "encoding", "line ends"),
        ("x = 1\n\fx = 2", 2, "encoding", "form feed"),
        (BOT.encode("utf-16"), 1, "encoding", "not text in UTF-8"),
        (b"\x7fELF\x02\x01\x01\0", 1, "encoding", "U+007F"),
        ("if x:\n\ty = 1\n        y = 2", 3, "syntax", "tabs"),
        ("\ufeffx = 1", 1, "encoding", "byte order mark"),
        (b"\xef\xbb\xbfx = 1", 1, "encoding", "byte order mark"),
        (b"# -*- coding: utf-7 -*-\nx = 1", 1, "encoding", "utf-7"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=latin-1 :\n", 2, "encoding", "latin-1"),
        ("x = 1\nx = (", 2, "syntax", "never closed"),
        ("x = 1\nx = " + "9" * 5000, 2, "syntax", "limit"),
        ("x = " + "(" * 10_000, 1, "depth", "nested"),
        ("x = " + "(" * 10_000 + ")" * 10_000, 1, "depth", "nested"),
        ("x = " + "-" * 100_000 + "1", 1, "depth", "nested"),
        ("x = y" + ".z" * 50_000, 1, "depth", "nested"),
        ("x = 1\ny = " + "1 + " * 250 + "1", 2, "depth", "nested"),
        ("\n".join(" " * level + "if x:" for level in range(300)), 101, "depth", "nested"),
        ("x = [" + "1, " * 60_000 + "]", 1, "depth", "parts"),
        ("#" * (MAX_BYTES + 1), 1, "size", "256 KB"),
        ("#" + "é" * (MAX_BYTES // 2), 1, "size", "256 KB"),
        (b"x" * 10_000_000, 1, "size", "256 KB"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_file_that_cannot_be_read_is_refused(source: str | bytes, line: int, rule: str, words: str) -> None:
    found = [each for each in check(source) if each.rule == rule]

    assert (line, rule) in refusals(found)
    assert words in found[0].message


def test_a_file_of_the_largest_size_is_read() -> None:
    assert check(BOT + "#" * (MAX_BYTES - len(BOT))) == []


def test_what_python_warns_of_is_advice_and_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = beside_a_bot("x = 1\ny = '\\d'")

    assert advice(found) == [(2, "syntax")]
    assert capsys.readouterr() == ("", "")


# --- Manners ------------------------------------------------------------------------------------------------


def test_findings_come_by_line_and_once_each() -> None:
    found = beside_a_bot("import os; import os\nx = eval('1')\nimport random\nx = random.random()")

    assert [(each.line, each.rule) for each in found] == [(1, "import"), (2, "name"), (4, "random")]


def test_findings_beyond_the_limit_are_counted_and_refusals_go_first() -> None:
    found = beside_a_bot("import time\n" + "time.sleep(1)\n" * (MAX_FINDINGS + 5) + "import os\n")

    assert len(found) == MAX_FINDINGS + 1
    assert found[-1].rule == "more" and not found[-1].is_refusal
    assert "6 more findings" in found[-1].message
    assert (MAX_FINDINGS + 7, "import") in refusals(found)
    assert [each.line for each in found] == sorted(each.line for each in found)


def test_refusals_that_are_not_shown_still_refuse() -> None:
    found = beside_a_bot("import os\n" * (MAX_FINDINGS + 1))

    assert found[-1].rule == "more" and found[-1].is_refusal


_TOKENS = (
    *(
        "import",
        "os",
        "from",
        "class",
        "def",
        "A(CustomBot):",
        "lambda:",
        "__class__",
        ".",
        "getattr(",
        ")",
        "[",
    ),
    *(
        "]",
        "{",
        "}",
        "f'{",
        "match",
        "case",
        "as",
        "_",
        "global",
        "while",
        "True:",
        "yield",
        "await",
        "async",
    ),
    *("*", "**", "=", ":=", "-1", "9e999", "type", "\n", "\n    "),
)


@given(
    st.text()
    | st.binary()
    | st.text(st.sampled_from("()[]{}:.,=+-*'\"\\\n\r\f\t #_abfx01\0\ufeff\ud800\u202eｅа"))
    | st.lists(
        st.sampled_from(_TOKENS),
        max_size=60,
    ).map(" ".join)
)
@example("def f(\n")
@example("f'{x!r:{'")
@example("match x:\n case {**__class__}: 1")
def test_whatever_is_in_the_file_checking_it_never_raises(source: str | bytes) -> None:
    started = time.process_time()

    found = check(source)

    assert time.process_time() - started < SECONDS
    assert len(found) <= MAX_FINDINGS + 1
    assert all(each.line >= 1 and each.rule in RULES and each.message.isprintable() for each in found)
    assert [each.line for each in found] == sorted(each.line for each in found)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["", "x = ", "import numpy as np\n", "class A(CustomBot):\n"])
    | st.text(st.sampled_from("([{ax=.\n"), max_size=4),
    st.text(st.sampled_from("()[]{}.:,=+-~\n\r \"'fxa1_lambd"), min_size=1, max_size=12)
    | st.sampled_from(
        ["eval\n", "a.__b__\n", "np.a.b.c.d\n", "'\\d'\n", "\u202a", "while 1:1\n", "f'{", "-"]
    ),
)
def test_a_pattern_repeated_to_the_largest_size_is_checked_in_bounded_time(start: str, pattern: str) -> None:
    started = time.process_time()

    check(start + pattern * ((MAX_BYTES - len(start)) // len(pattern)))

    assert time.process_time() - started < SECONDS


def test_the_file_runs_alone_on_the_standard_library(tmp_path: Path) -> None:
    alone = tmp_path / "code_policy.py"
    alone.write_bytes(Path(code_policy.__file__).read_bytes())
    program = (
        "import sys; sys.path.append(sys.argv[1]); import code_policy; print(code_policy.check('import os'))"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )

    assert "Finding(line=1, rule='import'" in done.stdout
    assert done.stderr == ""


def test_the_page_for_developers_names_every_rule_and_module() -> None:
    page = (ROOT / "docs" / "code_policy.md").read_text()

    assert all(f"| `{rule}` |" in page for rule in RULES)
    assert all(f"`{module}`" in page for module in MODULES)
