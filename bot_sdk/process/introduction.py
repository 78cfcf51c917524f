"""Ask what bot a file holds: its name, what it declares, and whether its model files open."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bot_sdk.bot import MOST_CANDLES
from bot_sdk.configs import RiskConfig
from bot_sdk.model_files import ModelFile
from bot_sdk.parameters import Parameter
from bot_sdk.process.job_file import Order, bytes_of
from bot_sdk.process.reply import Answer, Introduced, load_object, parse_line
from bot_sdk.process.verdicts import Verdict
from bot_sdk.text import printable

MOST_PARAMETERS = 50
_LONGEST_NAME = 100  # characters


@dataclass(frozen=True, slots=True)
class Introduction:
    """A job that asks for the bot itself, and not for an action."""

    code: str
    models: tuple[ModelFile, ...] = ()
    answers: ClassVar[int] = 1

    def packed(self) -> bytes:
        """Return the job as the process reads it."""
        return Order({"kind": "introduction"}, b"", self.models, bytes_of(self.code)).packed()

    def read_line(self, line: bytes) -> Answer:
        """Return what the process says; the bot is the answer's `introduced`."""
        try:
            raw = load_object(line)
            if raw.keys() == {"verdict", "message"}:
                answer = parse_line(line)
                assert isinstance(answer, Answer)
                return answer
            return Answer(Verdict.OK, introduced=_introduced(**raw))
        except (TypeError, ValueError) as error:
            return Answer(
                Verdict.BAD_REPLY,
                message=f"What the bot declares is not valid: {printable(str(error))[:400]}",
            )


def _introduced(
    bot: object, parameters: object, warm_up: object, risk_defaults: object, models: object
) -> Introduced:
    if not isinstance(bot, str) or not bot.isidentifier() or len(bot) > _LONGEST_NAME:
        raise ValueError(f"its class needs a name of at most {_LONGEST_NAME} characters.")
    if not isinstance(parameters, list) or len(parameters) > MOST_PARAMETERS:
        raise ValueError(f"expected a list of at most {MOST_PARAMETERS} parameters.")
    if type(warm_up) is not int or not 1 <= warm_up <= MOST_CANDLES:
        raise ValueError(f"warm_up is no whole number from 1 to {MOST_CANDLES}.")
    if not isinstance(risk_defaults, dict):
        raise ValueError("risk_defaults is no mapping from the names of limits to numbers.")
    if not isinstance(models, list) or not all(isinstance(name, str) for name in models):
        raise ValueError("expected the names of its models.")
    declared = tuple(map(_parameter, parameters))
    names = [parameter.name for parameter in declared]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two parameters are called {name!r}; rename one.")
    proposed = RiskConfig.parse(risk_defaults).to_dict()
    return Introduced(bot, declared, warm_up, proposed, tuple(map(printable, models)))


def _parameter(raw: Any) -> Parameter:
    if not isinstance(raw, dict):
        raise TypeError("a parameter is no object.")
    parameter = Parameter.from_dict(raw)
    for text in (parameter.name, parameter.label, parameter.help_text, *parameter.choices):
        if text != printable(text):
            raise ValueError(f"parameter {parameter.name!r} has a text with characters that cannot be shown.")
    return parameter
