"""What a trader can set on a bot: declared by the developer, checked here, a form on the platform."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

TYPES = ("integer", "number", "boolean", "choice")


class ConfigError(ValueError):
    """A configuration has problems; `problems` maps each field to one message for whoever set it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(" ".join(f"{name}: {message}" for name, message in self.problems.items()))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that a trader may set; the bot reads it as `config[name]`.

    `type` is "integer", "number", "boolean" or "choice". `minimum` and `maximum`, both inclusive, belong to
    integers and numbers, None means no bound; `choices` are the texts that a choice may take.
    Raises ValueError when the declaration contradicts itself, for instance by a default out of range.
    """

    name: str
    type: str
    default: Any
    label: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    help_text: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.choices, list):
            object.__setattr__(self, "choices", tuple(self.choices))
        problem = _declaration_problem(self)
        if problem:
            raise ValueError(f"Parameter {self.name!r}: {problem}")

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON types."""
        return {**asdict(self), "choices": list(self.choices)}

    @classmethod
    def from_dict(cls, declared: Mapping[str, Any]) -> "Parameter":
        """Return the parameter that `to_dict` described. Raises ValueError for anything else."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(str(name) for name in set(declared) - known)
        missing = sorted({"name", "type", "default"} - set(declared))
        if unknown or missing:
            raise ValueError(f"A parameter's description has unknown fields {unknown} and lacks {missing}.")
        return cls(**declared)


def validate(parameters: Sequence[Parameter], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every parameter: the one in `config`, or the default where it has none.

    Integers are int, numbers are finite int or float (a Decimal becomes float), booleans bool, choices str.
    Raises ConfigError naming every value of the wrong type or out of range and every unknown key.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    problems = {str(name): _unknown(name, by_name) for name in config if name not in by_name}
    values: dict[str, Any] = {}
    for name, parameter in by_name.items():
        value = _plain(config.get(name, parameter.default))
        problem = _value_problem(parameter, value)
        if problem:
            problems[name] = problem
        values[name] = value
    if problems:
        raise ConfigError(problems)
    return values


def _unknown(name: object, by_name: Mapping[str, Parameter]) -> str:
    if not by_name:
        return f"{name!r} is unknown; this bot has no parameters."
    return f"{name!r} is unknown; this bot has {', '.join(by_name)}."


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def _declaration_problem(parameter: Parameter) -> str | None:
    if not isinstance(parameter.name, str) or not parameter.name.isidentifier():
        return "its name must be a Python name such as rsi_period."
    if parameter.type not in TYPES:
        return f"its type must be one of {', '.join(TYPES)}, not {parameter.type!r}."
    if not isinstance(parameter.label, str) or not isinstance(parameter.help_text, str):
        return "its label and help_text must be text."
    problem = _choices_problem(parameter) or _bounds_problem(parameter)
    if problem:
        return problem
    problem = _value_problem(parameter, parameter.default)
    return f"its default is wrong: {problem}" if problem else None


def _choices_problem(parameter: Parameter) -> str | None:
    if parameter.type != "choice":
        return f"choices belong to a choice, not to type {parameter.type}." if parameter.choices else None
    are_texts = isinstance(parameter.choices, tuple) and all(
        isinstance(choice, str) for choice in parameter.choices
    )
    return None if parameter.choices and are_texts else "a choice needs choices, a list of texts."


def _bounds_problem(parameter: Parameter) -> str | None:
    bounds = [bound for bound in (parameter.minimum, parameter.maximum) if bound is not None]
    if bounds and parameter.type not in ("integer", "number"):
        return f"minimum and maximum belong to an integer or a number, not to type {parameter.type}."
    if not all(_is_number(bound) for bound in bounds):
        return "its minimum and maximum must be finite numbers."
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        return f"its minimum {bounds[0]} is above its maximum {bounds[1]}."
    return None


def _value_problem(parameter: Parameter, value: Any) -> str | None:
    if parameter.type == "boolean":
        return None if isinstance(value, bool) else f"Choose true or false, not {value!r}."
    if parameter.type == "choice":
        is_choice = isinstance(value, str) and value in parameter.choices
        return None if is_choice else f"Choose one of {', '.join(parameter.choices)}, not {value!r}."
    if parameter.type == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        return f"Enter a whole number, not {value!r}."
    if not _is_number(value):
        return f"Enter a number, not {value!r}."
    if parameter.minimum is not None and value < parameter.minimum:
        return f"Enter {parameter.minimum} or more, not {value}."
    if parameter.maximum is not None and value > parameter.maximum:
        return f"Enter {parameter.maximum} or less, not {value}."
    return None


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
