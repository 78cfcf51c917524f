"""What a trader changes of a subscription: the version of its bot, and its settings.

A change holds from the next candle on, and for stops from the next look at the price. What is held stays.
What was decided by the settings before is not ordered any more once the change is there: whoever sends an
order asks under the subscription's lock whether its revision is still the one that it was decided by.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from bot_sdk.parameters import ConfigError, validate
from bots.models import Bot, BotVersion
from subscriptions.errors import SubscriptionError
from subscriptions.forms import RISK_FIELDS
from subscriptions.lifecycle import parse_settings, wait_until_quiet
from subscriptions.models import Subscription, SubscriptionChange
from subscriptions.setting_words import Difference, Settings, differences, limits_in_words

CHANGEABLE = (Subscription.State.ACTIVE, Subscription.State.PAUSED)
SEEN_OTHERWISE = "The subscription was changed since you last saw it. Look at it again."


def settings_of(subscription: Subscription) -> Settings:
    """Return what is in force now. Select its `version` beforehand."""
    return Settings(version=subscription.version, **subscription.documents)


def settings_at(subscription: Subscription, revision: int) -> Settings | None:
    """Return what was in force at this revision of the subscription, or None where that was not kept."""
    overtaken_by = subscription.changes.filter(revision__gt=revision).order_by("revision").first()
    if overtaken_by is None:
        return settings_of(subscription)
    if not overtaken_by.before:
        return None
    documents = dict(overtaken_by.before)
    version = BotVersion.objects.select_related("bot").get(pk=documents.pop("version"))
    return Settings(version=version, **documents)


def versions_to_move_to(subscription: Subscription) -> list[BotVersion]:
    """Return the versions that its trader may choose instead, the newest first. Select `bot` beforehand."""
    if subscription.state not in CHANGEABLE or subscription.bot.state not in Bot.RUNNING:
        return []
    others = (
        BotVersion.objects.published().filter(bot=subscription.bot_id).exclude(pk=subscription.version_id)
    )
    return sorted(others, key=lambda version: version.precedence, reverse=True)


def moved(subscription: Subscription, to: BotVersion) -> Settings:
    """Return the settings that it would have with another version.

    A parameter keeps its value where the version still takes it, and has the version's default otherwise.
    """
    now = settings_of(subscription)
    return Settings(to, fitting(now.strategy_config, to), now.execution_config, now.risk_config)


def fitting(strategy_config: Mapping[str, Any], to: BotVersion) -> dict[str, Any]:
    """Return a value for each parameter of the version: this one where it takes it, or else its default."""
    strategy: dict[str, Any] = {}
    for parameter in to.declared_parameters:
        try:
            strategy |= validate([parameter], _only(parameter.name, strategy_config))
        except ConfigError:
            strategy[parameter.name] = parameter.default
    return strategy


def changed(
    subscription: Subscription,
    *,
    strategy_config: Mapping[str, Any],
    execution_config: Mapping[str, Any],
    risk_config: Mapping[str, Any],
) -> Settings:
    """Return the settings that it would have with these documents. Raises ConfigError as `subscribe` does."""
    problems: dict[str, str] = {}
    given = strategy_config, execution_config, risk_config
    declared = subscription.version.declared_parameters
    strategy, execution, risk = parse_settings(problems, declared, *given)
    if problems:
        raise ConfigError(problems)
    return Settings(subscription.version, strategy, execution.to_dict(), risk.to_dict())


def limits_not_taken_over(subscription: Subscription, to: BotVersion) -> list[tuple[str, str]]:
    """Return name and value of the limits that a version proposes and its trader has set otherwise."""
    proposed, chosen = to.proposed_risk, subscription.chosen_risk
    wanted = [name for name in RISK_FIELDS if getattr(proposed, name) not in (None, getattr(chosen, name))]
    return limits_in_words(proposed, wanted)


def move(*, subscription: Subscription, to: BotVersion, revision: int) -> Subscription:
    """Have the bot's version `to` decide from the next candle on; the one that it has changes nothing.

    `revision` is that of the subscription as its trader saw it. When it returns, nothing is ordered any more
    that the version before decided. Raises SubscriptionError for a version that is not offered.
    """
    with transaction.atomic():
        row = locked(subscription, revision)
        # locked, so that staff who pull it now wait, and then find this subscription with it
        offered = BotVersion.objects.published().select_for_update(of=["self"], no_key=True)
        version = offered.filter(bot=row.bot_id, pk=to.pk).first()
        if version is None or row.bot.state not in Bot.RUNNING:
            raise SubscriptionError(f"{to.number} is not offered now. Choose another version.")
        stored = _store(row, moved(row, version))
    wait_until_quiet(Subscription.objects.filter(pk=stored.pk))
    return stored


def change(
    *,
    subscription: Subscription,
    strategy_config: Mapping[str, Any],
    execution_config: Mapping[str, Any],
    risk_config: Mapping[str, Any],
    revision: int,
) -> Subscription:
    """Have it trade with these settings from the next candle on; those that it has change nothing.

    `revision` is that of the subscription as its trader saw it. When it returns, nothing is ordered any more
    that was decided by the settings before. Raises ConfigError as `subscribe` does, and SubscriptionError.
    """
    with transaction.atomic():
        row = locked(subscription, revision)
        planned = changed(
            row,
            strategy_config=strategy_config,
            execution_config=execution_config,
            risk_config=risk_config,
        )
        stored = _store(row, planned)
    wait_until_quiet(Subscription.objects.filter(pk=stored.pk))
    return stored


def locked(subscription: Subscription, revision: int) -> Subscription:
    """Return the row to change, under the lock that an order takes before it is sent.

    Raises SubscriptionError when it may not be changed, or was since its trader saw this revision of it.
    """
    row = Subscription.objects.select_for_update(of=["self"]).with_names().get(pk=subscription.pk)
    refuse_unchangeable(row)
    if row.revision != revision:
        raise SubscriptionError(SEEN_OTHERWISE)
    return row


def refuse_unchangeable(subscription: Subscription) -> None:
    """Raise SubscriptionError for one that sells what it holds, or has been stopped."""
    if subscription.state not in CHANGEABLE:
        state = subscription.get_state_display().lower()
        raise SubscriptionError(f"This subscription is {state}: it cannot be changed.")


def _store(row: Subscription, planned: Settings) -> Subscription:
    found = differences(settings_of(row), planned)
    if not found:
        return row
    keep_change(row, found)
    row.version = planned.version
    row.strategy_config = dict(planned.strategy_config)
    row.execution_config = dict(planned.execution_config)
    row.risk_config = dict(planned.risk_config)
    row.save(update_fields=["version", "strategy_config", "execution_config", "risk_config"])
    return row


def keep_change(row: Subscription, found: Sequence[Difference]) -> None:
    """Count up the revision of a `locked` row that has its settings from before, and keep what differs now.

    So nothing is ordered any more that was decided by what it was before.
    """
    row.revision += 1
    row.changed_at = timezone.now()
    row.save(update_fields=["revision", "changed_at"])
    SubscriptionChange.objects.create(
        subscription=row,
        revision=row.revision,
        differences=[each.to_dict() for each in found],
        before={"version": row.version_id, **row.documents},
    )


def _only(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: config[name]} if name in config else {}
