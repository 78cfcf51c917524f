"""The demo that `make run` starts with: four people, three categories, three bots."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from allauth.mfa.app_settings import TOTP_PERIOD
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from allauth.mfa.utils import decrypt
from django.contrib.auth.models import Group
from django.db import transaction

from accounts.models import User
from accounts.people import create_person
from bot_sdk.examples.bollinger_reversion import BollingerReversion
from bot_sdk.examples.moving_average_cross import MovingAverageCross
from bot_sdk.parameters import Parameter
from bot_sdk.timeframes import TIMEFRAMES
from bots.drafting import create_bot, have_checked
from bots.models import Bot, BotVersion, Category
from bots.names import slug_of
from bots.publishing import publish_version
from marketplace import roles

TRADER, DEVELOPER = "demo-trader", "demo-developer"
MODERATOR, OPERATOR = "demo-moderator", "demo-operator"
STAFF = {MODERATOR: roles.MODERATOR, OPERATOR: roles.OPERATOR}

CATEGORIES = {
    "Momentum": "Follow what moves.",
    "Mean reversion": "Buy what fell too far, sell what rose too far.",
    "Trend following": "Stay with the direction that averages show.",
}


@dataclass(frozen=True)
class DemoBot:
    name: str
    category: str
    tagline: str
    description: str
    module: str  # of bot_sdk.examples
    warm_up: int
    parameters: Sequence[Parameter]
    risk_defaults: Mapping[str, float]
    timeframes: Sequence[str] = ()  # empty: any


BOTS = [
    DemoBot(
        name="RSI Trading Bot",
        category="Momentum",
        tagline="Buys when the 14-candle RSI is oversold, sells when it is overbought.",
        description=(
            "The relative strength index compares recent gains with recent losses on a scale from 0 "
            "to 100. This bot buys when it falls below the oversold level and sells when it rises "
            "above the overbought level; between the two it holds.\n\n"
            "It does well in markets that swing around a level, and badly in a long one-way trend, "
            "where oversold can stay oversold."
        ),
        module="rsi_bot",
        warm_up=100,
        parameters=(
            Parameter(
                "rsi_oversold", "integer", 30, "Oversold below", 1, 50, (), "Buy when RSI is under this."
            ),
            Parameter(
                "rsi_overbought", "integer", 70, "Overbought above", 50, 99, (), "Sell when RSI is over this."
            ),
        ),
        risk_defaults={
            "stop_loss_percent": 5,
            "take_profit_percent": 10,
            "max_position_size": 20,
            "max_daily_loss_percent": 5,
        },
        timeframes=TIMEFRAMES,  # by the minute first, so that a newcomer sees its run on paper grow
    ),
    DemoBot(
        name="Moving Average Cross",
        category="Trend following",
        tagline="Holds while the fast average is above the slow one, stays out while it is below.",
        description=(
            "Two simple moving averages of the close smooth the price over a short and a long span. "
            "While the short one is above the long one and nothing is held, the bot buys; once it is "
            "below, the bot sells what it holds.\n\n"
            "It catches longer moves late but surely, and loses small amounts again and again in a "
            "market that goes nowhere."
        ),
        module="moving_average_cross",
        warm_up=MovingAverageCross.warm_up,
        parameters=MovingAverageCross.parameters,
        risk_defaults=MovingAverageCross.risk_defaults,
    ),
    DemoBot(
        name="Bollinger Reversion",
        category="Mean reversion",
        tagline="Buys near the lower Bollinger band, sells near the upper one, and sits out strong trends.",
        description=(
            "Bollinger bands lie two standard deviations below and above the 20-candle average. This "
            "bot takes a close near the lower band as too cheap and a close near the upper band as "
            "too dear. While the average directional index (ADX) says that a strong trend is running, "
            "it does not buy.\n\n"
            "Sudden news moves break the assumption that prices come back; keep the stop loss on."
        ),
        module="bollinger_reversion",
        warm_up=BollingerReversion.warm_up,
        parameters=BollingerReversion.parameters,
        risk_defaults=BollingerReversion.risk_defaults,
    ),
]


def seed(password: str) -> None:
    """Create what is missing of the demo; a second call changes nothing."""
    roles.install()
    with transaction.atomic():
        developer = _person(DEVELOPER, password)
        _person(TRADER, password)
        for username, role in STAFF.items():
            person = _person(username, password, is_staff=True)
            person.groups.add(Group.objects.get(name=role))
            if not Authenticator.objects.filter(user=person).exists():
                TOTP.activate(person, generate_totp_secret())
        for name, description in CATEGORIES.items():
            slug = name.lower().replace(" ", "-")
            Category.objects.get_or_create(slug=slug, defaults={"name": name, "description": description})
    for demo_bot in BOTS:
        bot = _publish(demo_bot, developer)
        for version in bot.versions.published():
            have_checked(version=version)  # in the background, once there are workers


def codes(after_seconds: int = 0) -> dict[str, str]:
    """Return what the demo staff's authenticator apps show now or will show then, by username."""
    counter = int(time.time() + after_seconds) // TOTP_PERIOD
    apps = Authenticator.objects.filter(user__username__in=STAFF, type=Authenticator.Type.TOTP)
    return {
        app.user.username: format_hotp_value(hotp_value(decrypt(app.data["secret"]), counter))
        for app in apps.select_related("user")
    }


def _person(username: str, password: str, **flags: bool) -> User:
    person = User.objects.filter(username=username).first()
    email = f"{username}@example.com"
    return person or create_person(username=username, email=email, password=password, **flags)


def _publish(demo_bot: DemoBot, developer: User) -> Bot:
    bot = Bot.objects.filter(slug=slug_of(demo_bot.name)).first() or create_bot(
        developer=developer,
        name=demo_bot.name,
        category=Category.objects.get(name=demo_bot.category),
        tagline=demo_bot.tagline,
        description=demo_bot.description,
        timeframes=list(demo_bot.timeframes),
    )
    drafts = bot.versions.filter(state=BotVersion.State.DRAFT)
    if bot.versions.exclude(pk__in=drafts).exists():
        return bot  # what staff or quarantine made of it stays
    drafts.delete()  # a start that was killed within leaves one
    code = resources.files("bot_sdk").joinpath("examples", f"{demo_bot.module}.py").read_text()
    publish_version(
        bot=bot,
        number="v1.0.0",
        code=code,
        parameters=demo_bot.parameters,
        warm_up=demo_bot.warm_up,
        risk_defaults=demo_bot.risk_defaults,
        release_notes="First version.",
    )
    return bot
