"""The admin shows every model to staff, and what they may change is what is theirs to change."""

from decimal import Decimal

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import notifying, tokens
from accounts.models import AnsweredRequest, AuditEntry, NotificationTimes, User
from bots import moderation
from bots.models import Bot, BotVersion, GateRun, GateStep, Review
from exchanges.models import ExchangeAccount
from execution import performance, schedule, strikes
from execution.models import BotRecord, CodeShape, Comparison, Cycle, Order, Position, Replay
from execution.orders import position_of
from execution.sandbox import Run, Verdict
from marketplace import demo
from subscriptions import reviewing
from subscriptions.models import (
    CapitalChange,
    Subscription,
    SubscriptionChange,
    SubscriptionDraft,
    TradingState,
)
from subscriptions.switches import set_envelope, set_trader_state
from tests.factories import (
    PASSWORD,
    make_backtest,
    make_bot,
    make_candles,
    make_cycle,
    make_exchange_account,
    make_fill,
    make_order,
    make_reconciliation,
    make_review,
    make_subscription,
    make_user,
    sign_in_staff,
    trader_of,
)

pytestmark = pytest.mark.django_db

OURS = ("accounts", "bots", "exchanges", "subscriptions", "execution")
UNSEEN = {"accounts.AuditHead"}  # says nothing to people
MODELS = [
    model
    for app in OURS
    for model in apps.get_app_config(app).get_models()
    if model._meta.label not in UNSEEN
]


@pytest.fixture
def staff(client: Client, mona: User) -> Client:
    """Mona, signed in, in a marketplace where everything has happened once."""
    demo.seed(PASSWORD)
    schedule.install()
    subscription = make_subscription()
    make_candles(subscription.market, count=2)
    cycle = make_cycle(subscription)
    make_fill(make_order(cycle))
    position_of(subscription)
    performance.measure_all(timezone.now())
    make_reconciliation(make_exchange_account(subscription.trader))
    trader = trader_of(subscription)
    Replay.objects.create(cycle=cycle, asked_by=trader)
    Comparison.objects.create(
        subscription=subscription,
        version=subscription.version,
        newest_candle_at=cycle.candle_opened_at,
        asked_by=trader,
    )
    make_backtest(trader, bot=subscription.bot)
    gate = GateRun.objects.create(version=subscription.version)
    GateStep.objects.create(gate=gate, code="source", position=1)
    CodeShape.objects.create(version=subscription.version, packed=b"")
    BotRecord.objects.create(version=subscription.version, kind=BotRecord.Kind.BACKTEST)
    review = make_review(make_bot())
    reviewing.report(review=review, reporter=trader, reason="It is about another bot.")
    SubscriptionChange.objects.create(subscription=subscription, revision=1, differences=[])
    CapitalChange.objects.create(subscription=subscription, revision=1, amount=-1, capital=9_999)
    SubscriptionDraft.objects.create(trader=trader, bot=subscription.bot)
    Review.objects.create(version=subscription.version, reviewer=make_user("max"), decision="APPROVED")
    moderation.ban(developer=make_user("dan"), by=mona, reason="Copies bots.")
    tokens.issue(user=trader)
    AnsweredRequest.objects.create(user=trader, key="one", status=202, body="{}")
    set_trader_state(trader=trader, state=TradingState.REDUCING)
    set_envelope(trader=trader, quote="USDT", max_exposure=Decimal(1000), max_daily_loss=None)
    strikes.count([subscription], Run(Verdict.CRASHED), timezone.now())
    NotificationTimes.objects.create(person=trader)
    notifying.spread(timezone.now())
    sign_in_staff(client, mona)
    return client


def page_of(model: type[Model], page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_superuser_sees_each_models_list_and_rows(staff: Client, model: type[Model]) -> None:
    assert model in admin.site._registry or model._meta.label == "execution.Fill"
    row = model._default_manager.first()
    assert row is not None

    assert staff.get(page_of(model, "changelist")).status_code == 200
    assert staff.get(page_of(model, "changelist"), {"q": "x"}).status_code == 200
    assert staff.get(page_of(model, "change", row.pk)).status_code == 200


def test_a_superuser_sees_the_schedule(staff: Client) -> None:
    page = staff.get(reverse("admin:django_celery_beat_periodictask_changelist"))

    assert page.status_code == 200
    assert "Tick 1m" in page.content.decode()


@pytest.mark.parametrize("name", ["cycle", "order", "fill", "position", "reconciliation", "backtest"])
def test_what_happened_cannot_be_edited_or_deleted(staff: Client, name: str) -> None:
    model = apps.get_model("execution", name)
    row = model._default_manager.first()
    assert row is not None

    assert staff.post(page_of(model, "change", row.pk), {}).status_code == 403
    assert staff.post(page_of(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert staff.get(page_of(model, "add")).status_code == 403


@pytest.mark.parametrize(
    "model", [Subscription, Cycle, Order, Position, ExchangeAccount], ids=lambda model: model._meta.model_name
)
def test_who_looks_at_a_traders_row_is_written_down(staff: Client, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row is not None
    staff.get(page_of(model, "changelist"))
    before = AuditEntry.objects.count()

    staff.get(page_of(model, "change", row.pk))

    entry = AuditEntry.objects.latest("number")
    assert (AuditEntry.objects.count(), entry.actor_name) == (before + 1, "mona")
    assert (entry.action, entry.object_id) == (f"{model._meta.model_name}.read", str(row.pk))


def test_staff_pause_subscriptions_and_the_trader_is_told_who(staff: Client) -> None:
    subscription = make_subscription()
    data = {"action": "pause_selected", "_selected_action": [subscription.pk]}

    staff.post(reverse("admin:subscriptions_subscription_changelist"), data)

    subscription.refresh_from_db()
    assert (subscription.state, subscription.state_reason) == ("PAUSED", "Paused by staff.")
    entry = AuditEntry.objects.latest("number")
    assert (entry.actor_name, entry.action, entry.object_id) == (
        "mona",
        "subscription.pause",
        str(subscription.pk),
    )


def test_staff_do_not_pause_the_marketplaces_own_runs(staff: Client) -> None:
    run = make_subscription()
    Subscription.objects.filter(pk=run.pk).update(trader=None, account=None)
    data = {"action": "pause_selected", "_selected_action": [run.pk]}

    page = staff.post(reverse("admin:subscriptions_subscription_changelist"), data, follow=True)

    assert "stop the version or its bot instead" in page.content.decode()
    run.refresh_from_db()
    assert run.state == "ACTIVE"


def test_people_who_are_added_in_the_admin_can_sign_in(client: Client, mona: User) -> None:
    sign_in_staff(client, mona)
    for name in ("nina", "otto"):
        data = {"username": name, "email": f"{name}@example.com", "usable_password": "true"}
        passwords = {"password1": PASSWORD, "password2": PASSWORD}
        assert client.post(reverse("admin:accounts_user_add"), data | passwords).status_code == 302

    assert EmailAddress.objects.filter(user__username__in=["nina", "otto"], verified=True).count() == 2


def test_seeding_twice_changes_nothing(staff: Client) -> None:
    before = [model._default_manager.count() for model in MODELS]

    demo.seed("another password")

    assert [model._default_manager.count() for model in MODELS] == before
    assert User.objects.get(username=demo.TRADER).check_password(PASSWORD)


@pytest.mark.parametrize("state", BotVersion.State.values)
def test_seeding_again_lets_be_what_became_of_a_version(staff: Client, state: str) -> None:
    bot = demo.BOTS[0].name
    BotVersion.objects.filter(bot__name=bot).update(state=state)

    demo.seed(PASSWORD)

    left_over = state == BotVersion.State.DRAFT  # of a start that was killed within
    assert BotVersion.objects.get(bot__name=bot).state == (BotVersion.State.PUBLISHED if left_over else state)


def test_staff_see_which_limits_a_version_proposes(staff: Client) -> None:
    version = BotVersion.objects.get(bot__slug="bollinger-reversion")

    page = staff.get(page_of(BotVersion, "change", version.pk)).content.decode()

    assert version.proposed_risk.cool_down_minutes == 60
    assert "cool_down_minutes" in page


def test_the_state_of_a_bot_is_not_a_field_to_fill_in(staff: Client) -> None:
    version = BotVersion.objects.get(bot__slug="bollinger-reversion")
    BotVersion.objects.filter(pk=version.pk).update(state=BotVersion.State.DRAFT)

    staff.post(page_of(BotVersion, "change", version.pk), {"state": BotVersion.State.PUBLISHED})

    version.refresh_from_db()
    assert version.state == BotVersion.State.DRAFT


def test_staff_suspend_a_bot_for_a_reason_and_lift_it_again(staff: Client) -> None:
    bot = Bot.objects.get(slug="bollinger-reversion")
    suspend = {"action": "suspend", "_selected_action": [bot.pk]}

    asked = staff.post(page_of(Bot, "changelist"), suspend).content.decode()
    bot.refresh_from_db()
    assert "The developer and the traders read it." in asked
    assert bot.state == Bot.State.LISTED

    staff.post(page_of(Bot, "changelist"), suspend | {"reason": "Promises too much."})
    bot.refresh_from_db()
    assert (bot.state, bot.state_reason) == (Bot.State.SUSPENDED, "Promises too much.")
    assert AuditEntry.objects.latest("number").action == "bot.suspend"

    staff.post(page_of(Bot, "changelist"), {**suspend, "action": "lift_suspension"})
    bot.refresh_from_db()
    assert bot.state == Bot.State.LISTED


def test_staff_pull_a_version_but_not_their_own(staff: Client, mona: User) -> None:
    version = BotVersion.objects.get(bot__slug="bollinger-reversion")
    own = make_bot(mona).current_version
    assert own is not None
    pull = {"action": "pull", "_selected_action": [version.pk, own.pk], "reason": "It leaks."}

    page = staff.post(page_of(BotVersion, "changelist"), pull, follow=True).content.decode()

    assert "Nobody reviews their own bot." in page
    states = {each.pk: each.state for each in BotVersion.objects.filter(pk__in=[version.pk, own.pk])}
    assert states == {version.pk: BotVersion.State.PULLED, own.pk: BotVersion.State.PUBLISHED}
