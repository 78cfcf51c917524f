"""The public face of the platform's bots: upload one, and have one decide.

Whoever calls this is trusted, as a shell or a script of the operator's is: nobody's rights are asked for.
A bot that is loaded is a handle. Its code is never in this process: it runs in the sandbox, over the
platform's own candles, and gets no credential, whatever is passed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from bot_sdk.account import snapshot_of
from bot_sdk.action import Action
from bot_sdk.ledger import ZERO, Holding
from bot_sdk.model_files import ModelFile
from bot_sdk.timeframes import last_closed
from bots import drafting, uploads
from bots.errors import ArtifactError, PublishingError
from bots.models import Artifact, Bot, BotVersion
from exchanges.gateways import public_gateway
from exchanges.models import Market
from execution import sandbox
from execution.cycle import limits, view_market
from execution.errors import BotFailed
from execution.loading import load
from execution.sandbox import Job, Verdict

TOLD = (
    "exchange_type",
    "trading_pair",
    "timeframe",
    "strategy_config",
    "execution_config",
    "risk_config",
)
NOTHING = Holding(quote_balance=ZERO, base_amount=ZERO, cost_basis=ZERO, realized_pnl=ZERO, fees_paid=ZERO)


def upload_bot_to_s3(bot_id: int, code_content: str | bytes, version: str) -> Artifact:
    """Give the bot's draft `version`, such as "v1.0.0", its code; the draft is begun when there is none.

    Raises what `uploads.put_code` and `drafting.start_version` raise.
    """
    bot = Bot.objects.get(pk=bot_id)
    draft = bot.versions.filter(number=version).first()
    content = code_content.encode() if isinstance(code_content, str) else code_content
    if draft is not None:
        return uploads.put_code(version=draft, content=content)
    draft = drafting.start_version(bot=bot, number=version)
    try:
        return uploads.put_code(version=draft, content=content)
    except BaseException:
        drafting.discard(version=draft)
        raise


def upload_model_to_s3(
    bot_id: int, model_data: bytes, filename: str, model_type: str, framework: str = ""
) -> Artifact:
    """Give the bot's newest draft a file of type MODEL, WEIGHTS or CONFIG.

    Raises what `uploads.put_model` raises, and PublishingError when the bot has no draft.
    """
    drafts = BotVersion.objects.filter(bot=bot_id, state=BotVersion.State.DRAFT)
    draft = max(drafts, key=lambda each: each.precedence, default=None)
    if draft is None:
        raise PublishingError("The bot has no draft. Upload its code first, which begins one.")
    return uploads.put_model(
        version=draft, kind=model_type, filename=filename, content=model_data, framework=framework
    )


def load_bot_from_s3(
    bot_id: int, user_config: Mapping[str, Any], user_api_keys: Mapping[str, str] | None = None
) -> "LoadedBot":
    """Return the bot's current version with its files, which are those that were approved.

    `user_config` holds values for its parameters. `user_api_keys` are there for the name's sake and are
    dropped: bots get no credentials. Raises ArtifactError when a file cannot be read or is another, and when
    there is no version that may run.
    """
    del user_api_keys
    bot = Bot.objects.get(pk=bot_id)
    version = bot.current_version if bot.state in Bot.RUNNING else None
    if version is None:
        raise ArtifactError("The bot has no version that may run.")
    return LoadedBot(version, *load(version), dict(user_config))


@dataclass(frozen=True)
class LoadedBot:
    """A version with its files, unopened, and one person's values for its parameters."""

    version: BotVersion
    code: str
    models: tuple[ModelFile, ...]
    config: Mapping[str, Any]

    def execute_full_cycle(self, timeframe: str, subscription_config: Mapping[str, Any]) -> Action:
        """Return what the bot says about the newest closed candle; nothing is ordered.

        `subscription_config` names the market by "exchange_type" and "trading_pair"; the bot is told of it
        what is in TOLD. It holds nothing and has no money. Raises the gateway's errors, and BotFailed when
        the bot gives no valid answer.
        """
        market = Market.objects.get(
            exchange=subscription_config["exchange_type"], trading_pair=subscription_config["trading_pair"]
        )
        opened_at = last_closed(timeframe, timezone.now())
        view = view_market(market, timeframe, opened_at, public_gateway(market.exchange))
        if view.gap:
            raise BotFailed(view.gap)
        seconds_left = (view.stale_at - timezone.now()).total_seconds()
        told = {name: value for name, value in subscription_config.items() if name in TOLD}
        snapshot = snapshot_of(NOTHING, view.ticker.last, market.trading_pair, view.newest_candles)
        run = sandbox.run(
            Job(
                code=self.code,
                frame=view.frame,
                timeframe=timeframe,
                config=self.config,
                subscription_config=told,
                snapshot=snapshot,
                models=self.models,
            ),
            limits(seconds_left),
        )
        if run.verdict != Verdict.OK or run.action is None:
            raise BotFailed(f"{self.version} gave no answer ({run.verdict}): {run.message}")
        return run.action
