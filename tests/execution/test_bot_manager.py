import pytest
from django.core.exceptions import ValidationError

from bot_sdk.action import Action
from bots.errors import ArtifactError, PublishingError
from bots.models import Bot
from bots.storage import read_code, read_models
from exchanges.markets import refresh_markets
from execution import bot_manager
from execution.errors import BotFailed
from tests.factories import BUYING_BOT, make_bot

pytestmark = pytest.mark.django_db

CANARY = "canary-0f3b9c"
ASKING = {
    "exchange_type": "BINANCE",
    "trading_pair": "BTC/USDT",
    "timeframe": "1h",
    "strategy_config": {"share": 1},
    "api_key": CANARY,
}
TELLING_BOT = """
import json

from bot_sdk import Action, CustomBot


class TellingBot(CustomBot):
    def __init__(self, config, api_keys):
        super().__init__(config, api_keys)
        self.told = [config["share"], dict(api_keys)]

    def execute_algorithm(self, data, timeframe, subscription_config=None):
        return Action("HOLD", data["close"].iloc[-1], json.dumps([self.told, sorted(subscription_config)]))
"""


def test_code_and_a_model_become_a_draft_and_the_next_call_replaces_them() -> None:
    bot = make_bot()

    bot_manager.upload_bot_to_s3(bot_id=bot.pk, code_content=BUYING_BOT, version="v1.1.0")
    for model in (b"[1]", b"[2]"):
        bot_manager.upload_model_to_s3(
            bot_id=bot.pk, model_data=model, filename="scaler.json", model_type="WEIGHTS", framework="own"
        )
    bot_manager.upload_bot_to_s3(bot_id=bot.pk, code_content=BUYING_BOT + "\n", version="v1.1.0")

    draft = bot.versions.get(number="v1.1.0")
    assert read_code(draft) == BUYING_BOT + "\n"
    assert [(each.filename, each.content) for each in read_models(draft)] == [("scaler.json", b"[2]")]
    assert bot.versions.published().get().number == "v1.0.0"


def test_code_that_cannot_be_taken_begins_no_draft_and_published_code_stays() -> None:
    bot = make_bot()

    with pytest.raises(ValidationError):
        bot_manager.upload_bot_to_s3(bot_id=bot.pk, code_content="def", version="v1.1.0")
    with pytest.raises(PublishingError, match="cannot change"):
        bot_manager.upload_bot_to_s3(bot_id=bot.pk, code_content=BUYING_BOT, version="v1.0.0")
    with pytest.raises(PublishingError, match="no draft"):
        bot_manager.upload_model_to_s3(bot.pk, b"[1]", "scaler.json", "WEIGHTS")

    assert bot.versions.count() == 1


def test_a_loaded_bot_decides_in_the_sandbox_and_no_key_goes_along(simulated_exchange: str) -> None:
    refresh_markets("BINANCE")
    bot = make_bot(code=TELLING_BOT)

    loaded = bot_manager.load_bot_from_s3(
        bot_id=bot.pk, user_config={"share": 1}, user_api_keys={"api_key": CANARY, "secret": CANARY}
    )
    action = loaded.execute_full_cycle(timeframe="1h", subscription_config=ASKING)

    assert isinstance(action, Action)
    assert action.action == "HOLD"
    assert action.reason == ('[[1, {}], ["exchange_type", "strategy_config", "timeframe", "trading_pair"]]')
    assert CANARY not in repr(loaded) and CANARY not in repr(vars(loaded))


def test_a_bot_that_fails_says_so_and_one_without_a_version_is_not_loaded(simulated_exchange: str) -> None:
    refresh_markets("BINANCE")
    bot = make_bot(code=TELLING_BOT)
    loaded = bot_manager.load_bot_from_s3(bot_id=bot.pk, user_config={}, user_api_keys=None)

    with pytest.raises(BotFailed, match="KeyError"):
        loaded.execute_full_cycle(timeframe="1h", subscription_config=ASKING)

    for rows, state in ((Bot.objects.all(), "SUSPENDED"), (bot.versions.all(), "PULLED")):
        rows.update(state=state)
        with pytest.raises(ArtifactError, match="no version that may run"):
            bot_manager.load_bot_from_s3(bot_id=bot.pk, user_config={}, user_api_keys=None)
        Bot.objects.update(state="LISTED")
