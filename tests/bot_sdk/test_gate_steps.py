"""The table of the gate's steps, to which pages, command line and guide refer by code."""

import re

from bot_sdk.code_policy import check
from bot_sdk.gate_steps import GATE_STEPS, findings_of


def test_the_codes_of_the_steps_never_change() -> None:
    assert list(GATE_STEPS) == [
        *("source", "policy", "load", "models", "dry_runs", "determinism", "look_ahead"),
        *("statelessness", "warm_up", "cost", "reference_backtest", "similarity"),
    ]
    assert [step.code for step in GATE_STEPS.values() if step.needs_platform] == ["similarity"]


def test_each_step_asks_a_question_and_says_how_to_mend() -> None:
    for step in GATE_STEPS.values():
        assert re.fullmatch(r"[A-Z].+\?( .+\.)?", step.question)
        assert step.mend.endswith(".")
        assert re.fullmatch(r"gate-[a-z_]+", step.guide)


def test_each_finding_belongs_to_one_of_the_two_steps_that_read_the_file() -> None:
    found = check("import os\n# \u202e")

    assert [each.rule for each in findings_of("source", found)] == ["encoding"]
    assert [each.rule for each in findings_of("policy", found)] == ["algorithm", "import"]
