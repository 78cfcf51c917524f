import json
from decimal import Decimal
from typing import Any

import pytest

from bot_sdk import Parameter
from bot_sdk.parameters import ConfigError, validate

PERIOD = Parameter("period", "integer", 14, minimum=2, maximum=50)
LIMIT = Parameter("limit", "number", 30.0, minimum=0, maximum=100)
STRICT = Parameter("is_strict", "boolean", False)
SOURCE = Parameter("source", "choice", "close", choices=("close", "open"))
ALL = (PERIOD, LIMIT, STRICT, SOURCE)


def problems_of(config: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        validate(ALL, config)
    return caught.value.problems


def test_an_empty_config_gets_every_default() -> None:
    assert validate(ALL, {}) == {"period": 14, "limit": 30.0, "is_strict": False, "source": "close"}


def test_given_values_replace_the_defaults() -> None:
    given = {"period": 2, "limit": 100, "is_strict": True, "source": "open"}

    assert validate(ALL, given) == given


def test_a_decimal_from_a_form_becomes_a_float() -> None:
    assert validate([LIMIT], {"limit": Decimal("12.5")}) == {"limit": 12.5}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("period", 14.0, "Enter a whole number, not 14.0."),
        ("period", True, "Enter a whole number, not True."),
        ("period", "14", "Enter a whole number, not '14'."),
        ("period", None, "Enter a whole number, not None."),
        ("period", 1, "Enter 2 or more, not 1."),
        ("period", 51, "Enter 50 or less, not 51."),
        ("limit", float("nan"), "Enter a number, not nan."),
        ("limit", float("inf"), "Enter a number, not inf."),
        ("limit", False, "Enter a number, not False."),
        ("is_strict", 1, "Choose true or false, not 1."),
        ("source", "volume", "Choose one of close, open, not 'volume'."),
        ("source", ["close"], "Choose one of close, open, not ['close']."),
    ],
)
def test_a_wrong_value_is_explained_at_its_field(name: str, value: Any, message: str) -> None:
    assert problems_of({name: value}) == {name: message}


def test_every_problem_is_named_at_once() -> None:
    problems = problems_of({"period": 0, "limit": "much", "perriod": 14})

    assert set(problems) == {"period", "limit", "perriod"}
    assert problems["perriod"] == "'perriod' is unknown; this bot has period, limit, is_strict, source."


def test_a_bot_without_parameters_takes_no_value() -> None:
    with pytest.raises(ConfigError, match="this bot has no parameters"):
        validate([], {"period": 14})


def test_a_whole_number_that_no_float_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="Enter a number"):
        validate([Parameter("period", "integer", 14)], {"period": 10**400})


@pytest.mark.parametrize("parameter", ALL)
def test_a_declaration_survives_json(parameter: Parameter) -> None:
    assert Parameter.from_dict(json.loads(json.dumps(parameter.to_dict()))) == parameter


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ({"name": "rsi period"}, "must be a Python name"),
        ({"type": "text"}, "must be one of integer, number, boolean, choice, not 'text'"),
        ({"default": "14"}, "its default is wrong: Enter a whole number"),
        ({"minimum": 20}, "its default is wrong: Enter 20 or more"),
        ({"minimum": 30, "maximum": 10}, "its minimum 30 is above its maximum 10"),
        ({"minimum": "2"}, "must be finite numbers"),
        ({"choices": ("a",)}, "choices belong to a choice"),
        ({"type": "choice", "default": "a"}, "a choice needs choices"),
        ({"type": "boolean", "default": True, "minimum": 0}, "belong to an integer or a number"),
        ({"label": 3}, "must be text"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(declaration: dict[str, Any], message: str) -> None:
    valid: dict[str, Any] = {"name": "period", "type": "integer", "default": 14}

    with pytest.raises(ValueError, match=message):
        Parameter(**(valid | declaration))


def test_a_description_with_foreign_fields_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown fields \['step'\] and lacks \['default'\]"):
        Parameter.from_dict({"name": "period", "type": "integer", "step": 2})
