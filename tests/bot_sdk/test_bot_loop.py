# ruff: noqa: ARG002  a bot's signature is fixed, whatever it uses of it

import random
from typing import Any

import numpy as np
import pytest

from bot_sdk import Action, CustomBot
from bot_sdk.bot_loop import BotFailed, BotLoop, failure_of, seed_of
from tests.bot_sdk.samples import candles_of

CODE = b"import random\nimport numpy as np\n"
FRAME = candles_of([100.0])


def make_task(**config: Any) -> dict[str, Any]:
    settings = {"trading_pair": "BTC/USDT", "strategy_config": dict(config)}
    return {"timeframe": "1h", "config": config, "subscription_config": settings}


class Gambler(CustomBot):
    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        return Action("HOLD", random.random(), f"{np.random.random()}")


def test_the_same_candle_draws_the_same_numbers_and_another_one_others() -> None:
    loop, again = (BotLoop(Gambler, make_task(), code=CODE) for _ in range(2))

    first, second = loop.decide(FRAME, 1), loop.decide(FRAME, 2)

    assert first.value != second.value
    assert first.reason != second.reason
    assert [again.decide(FRAME, 2), again.decide(FRAME, 1), loop.decide(FRAME, 1)] == [second, first, first]


@pytest.mark.parametrize(("code", "task"), [(CODE + b"#", make_task()), (CODE, make_task(depth=3))])
def test_other_code_and_other_settings_draw_other_numbers(code: bytes, task: dict[str, Any]) -> None:
    usual = BotLoop(Gambler, make_task(), code=CODE).decide(FRAME, 1)

    assert BotLoop(Gambler, task, code=code).decide(FRAME, 1) != usual


def test_a_seed_is_that_of_the_code_the_settings_and_the_candle() -> None:
    random.seed(seed_of(CODE, make_task(depth=3), 1_767_225_600_000_000))
    drawn = random.random()

    action = BotLoop(Gambler, make_task(depth=3), code=CODE).decide(FRAME, 1_767_225_600_000_000)

    assert action.value == drawn


@pytest.mark.parametrize(
    "line",
    [
        "import random",
        "from random import random",
        "from numpy.random import default_rng",
        "import numpy.random",
        "draw = np.random.rand()",
        "frame = data.sample(5)",
        "import sklearn",
        "from bot_sdk import Action; import scipy",
        "import numpy as np, scipy",
        "if True:import scipy",
        "from \\\n    scipy import stats",
        "from numpydoc import docscrape",
    ],
)
def test_code_that_may_draw_is_seeded(line: str) -> None:
    loop = BotLoop(Gambler, make_task(), code=line.encode())

    assert loop.decide(FRAME, 1) == loop.decide(FRAME, 1)


def test_seeding_is_saved_where_nothing_draws() -> None:
    code = b"from bot_sdk import Action, CustomBot\nimport pandas as pd\nimport math; import numpy as np\n"

    loop = BotLoop(Gambler, make_task(), code=code)

    assert loop.decide(FRAME, 1) != loop.decide(FRAME, 1)


def test_what_a_bot_does_to_its_settings_never_reaches_the_next_candle_or_the_other_settings() -> None:
    class Hoarder(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            self.config["lengths"].append(0)
            vars(self)["config"]["mine"] = True
            subscription_config["strategy_config"]["lengths"].append(1)
            return Action("HOLD", 0, f"{self.config} {subscription_config['strategy_config']}")

    task = make_task(lengths=[7])
    loop = BotLoop(Hoarder, task)

    reasons = {loop.decide(FRAME, stamp).reason for stamp in range(3)}

    assert reasons == {"{'lengths': [7, 0], 'mine': True} {'lengths': [7, 1]}"}
    assert task == make_task(lengths=[7])


def test_a_bot_finds_its_models_in_its_configuration() -> None:
    class Modeller(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("HOLD", self.config["models"]["MODEL"])

    loop = BotLoop(Modeller, make_task(), models={"MODEL": 3})

    assert loop.decide(FRAME, 1).value == 3


def test_a_failure_names_the_line_in_the_bots_file() -> None:
    class Divider(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("HOLD", 1 / 0)

    with pytest.raises(ZeroDivisionError) as raised:
        BotLoop(Divider, make_task()).decide(FRAME, 1)

    message = failure_of(raised.value, Divider)
    assert message.startswith("ZeroDivisionError: ")
    assert f"({__file__}, line " in message


def test_a_bot_that_returns_no_action_is_told_what_to_return() -> None:
    class Silent(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Any:
            return None

    with pytest.raises(BotFailed, match="returned NoneType, expected an Action on every path"):
        BotLoop(Silent, make_task()).decide(FRAME, 1)
