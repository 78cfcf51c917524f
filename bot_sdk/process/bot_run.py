"""Load the bot's code, ask it, and put its answer, or what went wrong, into one line of JSON."""

import errno
import json
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot_sdk.action import Action
from bot_sdk.bot import AccountView, connect
from bot_sdk.bot_file import BotFileError, bot_class_in, check_bot_class
from bot_sdk.bot_loop import BotFailed, BotLoop
from bot_sdk.model_files import ModelFile, ModelFileError, named

_FILE_NAME = "bot.py"
_LONGEST_TEXT = 500  # characters
_REFUSALS = (errno.EPERM, errno.EACCES, errno.EROFS)

# Ready-made: there may be no memory left to make it.
_OUT_OF_MEMORY = (
    b'{"verdict": "OUT_OF_MEMORY", "message": "The bot asked for more memory than it may use."}\n'
)


def load(code: bytes, task: Mapping[str, Any], models: Sequence[ModelFile], account: AccountView) -> BotLoop:
    """Run the bot's file and return what asks the bot in it. Raises whatever the file does.

    `task` has timeframe, config and subscription_config as the bot is given them.
    """
    namespace = _namespace(code)
    connect(account)
    opened = named(models) if models else None
    return BotLoop(bot_class_in(namespace), task, code=code, models=opened)


def introduced(code: bytes, models: Sequence[ModelFile]) -> bytes:
    """Run the bot's file, open its models, and return what bot there is as the line that is read."""

    def introduce() -> bytes:
        bot_class = bot_class_in(_namespace(code))
        check_bot_class(bot_class)
        return _line(
            bot=bot_class.__name__,
            parameters=[parameter.to_dict() for parameter in bot_class.parameters],
            warm_up=bot_class.warm_up,
            risk_defaults=dict(bot_class.risk_defaults),
            models=list(named(models)),
        )

    return _guarded(introduce)


def said_by(ask: Callable[..., Action], *given: object) -> bytes:
    """Return the bot's answer, or how it failed, as the line that `reply.py` reads, newline included."""

    def answer() -> bytes:
        action = ask(*given)
        return _line(action=action.action, value=action.value, reason=action.reason[:_LONGEST_TEXT])

    return _guarded(answer)


def _namespace(code: bytes) -> dict[str, Any]:
    """Run the bot's file and return what it defines."""
    module = types.ModuleType("bot")
    # Dataclasses, pickle and inspect look a class's module up by name.
    sys.modules["bot"] = module
    exec(compile(code.decode(), _FILE_NAME, "exec", dont_inherit=True), vars(module))
    return vars(module)


def _guarded(answer: Callable[[], bytes]) -> bytes:
    try:
        return answer()
    except MemoryError:
        return _OUT_OF_MEMORY
    except (BotFailed, BotFileError, ModelFileError) as error:
        return _failure("FAILED", str(error))
    except BaseException as error:  # noqa: BLE001  whatever the bot raises, SystemExit too, is its answer
        return _failure("FORBIDDEN" if _was_refused(error) else "FAILED", _describe(error))


def _was_refused(error: BaseException | None) -> bool:
    """Tell whether the error, or the one that it was raised upon, is the kernel's no."""
    seen: set[int] = set()  # a bot can chain errors in a circle
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in _REFUSALS:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _line(**reply: object) -> bytes:
    return json.dumps(reply).encode() + b"\n"


def _failure(verdict: str, message: str) -> bytes:
    return _line(verdict=verdict, message=message[:_LONGEST_TEXT])


def _kind(value: object) -> str:
    return type(value).__name__[:80]


def _describe(error: BaseException) -> str:
    """Return for example "ZeroDivisionError: division by zero (bot.py, line 12)"."""
    line = _line_number(error)
    place = f" ({_FILE_NAME}, line {line})" if line else ""
    text = error.msg if isinstance(error, SyntaxError) else _text(error)
    room = _LONGEST_TEXT - len(place)
    return f"{_kind(error)}: {text}"[:room].rstrip(": ") + place


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  the bot wrote the method that gives the text
        return "no text"


def _line_number(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == _FILE_NAME:
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE_NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
