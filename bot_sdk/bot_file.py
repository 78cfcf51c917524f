"""Find the one bot in a developer's file."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bot_sdk.bot import CustomBot
from bot_sdk.parameters import Parameter

_MODULE_NAME = "developer_bot"


class BotFileError(ValueError):
    """A file that holds no usable bot; the message says what to change in it."""


def bot_class_in(namespace: Mapping[str, object]) -> type[CustomBot]:
    """Return the one subclass of CustomBot that a module's `namespace` (its `vars()`) defines.

    Classes that it only imported do not count. Raises BotFileError for none and for more than one.
    """
    found = {
        value
        for value in namespace.values()
        if isinstance(value, type)
        and issubclass(value, CustomBot)
        and value.__module__ == namespace["__name__"]
    }
    if not found:
        raise BotFileError("No bot found: define one class that inherits from CustomBot.")
    if len(found) > 1:
        names = ", ".join(sorted(bot_class.__name__ for bot_class in found))
        raise BotFileError(f"Found {len(found)} bots ({names}): keep one class that inherits from CustomBot.")
    return found.pop()


def check_bot_class(bot_class: type[CustomBot]) -> None:
    """Raise BotFileError unless the bot can be made and asked as it will be, and its parameters shown."""
    name, algorithm = bot_class.__name__, bot_class.execute_algorithm
    if algorithm is CustomBot.execute_algorithm:
        raise BotFileError(
            f"{name} has no algorithm: define execute_algorithm(self, data, timeframe, subscription_config) "
            "in it and return an Action."
        )
    if inspect.iscoroutinefunction(algorithm) or inspect.isgeneratorfunction(algorithm):
        raise BotFileError(f"{name}.execute_algorithm is async or yields: make it return an Action.")
    if not _takes(algorithm, 4):
        raise BotFileError(
            f"{name}.execute_algorithm cannot be called with three values: declare it as "
            "execute_algorithm(self, data, timeframe, subscription_config)."
        )
    if not _takes(bot_class.__init__, 3):
        raise BotFileError(
            f"{name}.__init__ cannot be called with two values: declare it as "
            "__init__(self, config, api_keys), or leave it out."
        )
    parameters = bot_class.parameters
    if not isinstance(parameters, list | tuple) or not all(
        isinstance(each, Parameter) for each in parameters
    ):
        raise BotFileError(f"{name}.parameters is no list of Parameter: write parameters = [Parameter(...)].")
    if type(bot_class.warm_up) is not int:
        raise BotFileError(f"{name}.warm_up is no whole number: write how many candles the bot needs.")
    if not isinstance(bot_class.risk_defaults, Mapping):
        raise BotFileError(f'{name}.risk_defaults is no mapping: write {{"stop_loss_percent": 5}}.')


def _takes(function: Callable[..., object], count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    return True


def load_bot_class(path: Path) -> type[CustomBot]:
    """Run the file at `path` and return its bot. The file's code is trusted: it is the developer's own.

    Raises BotFileError when the file is missing, fails to run or does not hold exactly one bot.
    """
    if not path.is_file():
        raise BotFileError(f"No file at {path}: pass the path of the bot's Python file.")
    spec = importlib.util.spec_from_file_location(_MODULE_NAME, path)
    if spec is None or spec.loader is None:
        raise BotFileError(f"{path} is not a Python file: its name has to end in .py.")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, pickle and inspect look a class's module up by name.
    sys.modules[_MODULE_NAME] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BotFileError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    try:
        return bot_class_in(vars(module))
    except BotFileError as error:
        raise BotFileError(f"{path}: {error}") from None
