from decimal import Decimal

from bot_sdk.effective_limits import LIMITS, Limit, Source
from bot_sdk.process.verdicts import Verdict
from bot_sdk.skip_reasons import SkipReason
from execution import words


def test_every_code_has_words() -> None:
    assert set(words.SKIPS) == set(SkipReason)
    assert set(words.LIMITS) == set(LIMITS)
    assert set(words.LIMIT_SOURCES) == set(Source)
    assert set(words.VERDICTS) == set(words.SHORT_VERDICTS) == set(Verdict)


def test_a_limit_shows_every_digit_that_counts() -> None:
    narrow = Limit("stop_loss_percent", Decimal("0.0625"), Source.TRADER, Decimal("0.0625"))

    assert words.limit_words(narrow) == "0.0625\N{NARROW NO-BREAK SPACE}% below the average entry"
    assert words.overruled(narrow) == ""


def test_a_choice_that_the_platform_overrules_is_told() -> None:
    assert words.overruled(Limit("cool_down_minutes", 30, Source.PLATFORM, None)) == "off"
    assert words.overruled(Limit("max_orders_per_day", 5, Source.PLATFORM, 9)) == "9 at most"
