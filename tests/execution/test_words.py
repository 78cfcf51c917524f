from bot_sdk.skip_reasons import SkipReason
from execution import words
from execution.sandbox.verdicts import Verdict


def test_every_code_has_words() -> None:
    assert set(words.SKIPS) == set(SkipReason)
    assert set(words.VERDICTS) == set(words.SHORT_VERDICTS) == set(Verdict)
