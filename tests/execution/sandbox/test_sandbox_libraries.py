import pytest

from bots.runtime import PURPOSES
from execution.sandbox import Verdict, run
from tests.execution.sandbox.jobs import ROOMY, make_bot, make_job

MODULES = {"pandas-ta": "pandas_ta", "ta-lib": "talib", "scikit-learn": "sklearn", "xgboost-cpu": "xgboost"}


@pytest.mark.parametrize("library", PURPOSES)
def test_a_confined_bot_can_import_each_library(library: str) -> None:
    module = MODULES.get(library, library)

    result = run(make_job(make_bot(f"import {module}")), ROOMY)

    assert (result.verdict, result.message) == (Verdict.OK, "")
