"""Staff's roles: groups with exactly these rights. Superusers have all; developers and traders need none.

What can never be done in the admin, such as deleting records of what happened, no right allows.
"""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

MODERATOR, FINANCE, OPERATOR = "moderator", "finance", "operator"

RIGHTS = {
    # judges bots, their versions and reviews; of subscriptions it may only pause
    MODERATOR: (
        "accounts.view_auditentry",
        "accounts.view_user",
        "bots.add_category",
        "bots.change_bot",
        "bots.change_botversion",
        "bots.change_category",
        "bots.view_artifact",
        "bots.view_bot",
        "bots.view_botversion",
        "bots.view_category",
        "bots.view_developerban",
        "bots.view_gaterun",
        "bots.view_gatestep",
        "bots.view_review",
        "bots.view_versiontoreview",
        "execution.view_strike",
        "subscriptions.change_subscriberreview",
        "subscriptions.change_subscription",
        "subscriptions.view_reviewreport",
        "subscriptions.view_subscriberreview",
        "subscriptions.view_subscription",
    ),
    FINANCE: (
        "accounts.view_auditentry",
        "accounts.view_user",
    ),
    # keeps the trading going: sees what runs, and stops it, but judges nobody
    OPERATOR: (
        "bots.view_bot",
        "bots.view_botversion",
        "django_celery_beat.change_periodictask",
        "django_celery_beat.view_crontabschedule",
        "django_celery_beat.view_intervalschedule",
        "django_celery_beat.view_periodictask",
        "exchanges.change_market",
        "exchanges.view_candle",
        "exchanges.view_exchangeaccount",
        "exchanges.view_market",
        "execution.end_order",
        "execution.view_backtest",
        "execution.view_botrecord",
        "execution.view_comparison",
        "execution.view_cycle",
        "execution.view_fill",
        "execution.view_order",
        "execution.view_position",
        "execution.view_reconciliation",
        "execution.view_replay",
        "execution.view_strike",
        "execution.view_subscriptionperformance",
        "subscriptions.change_subscription",
        "subscriptions.change_tradingswitch",
        "subscriptions.view_envelope",
        "subscriptions.view_subscription",
        "subscriptions.view_capitalchange",
        "subscriptions.view_subscriptionchange",
        "subscriptions.view_tradingswitch",
    ),
}


def install() -> None:
    """Create the roles' groups and give them their rights, whatever they had before."""
    for role, rights in RIGHTS.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(_permissions(rights))


def _permissions(rights: Iterable[str]) -> list[Permission]:
    asked = Q()
    for right in rights:
        app, codename = right.split(".")
        asked |= Q(content_type__app_label=app, codename=codename)
    found = Permission.objects.filter(asked).select_related("content_type")
    missing = set(rights) - {f"{each.content_type.app_label}.{each.codename}" for each in found}
    if missing:
        raise LookupError(f"There are no rights named {', '.join(sorted(missing))}; correct RIGHTS.")
    return list(found)
