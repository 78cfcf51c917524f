"""Ask an exchange what an account's key may do, and let the account be used or not, accordingly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Event
from accounts.notifying import notify
from exchanges.credentials import rights_problem
from exchanges.errors import ExchangeError, ExchangeUnavailable, KeyRefused, UnknownExchange
from exchanges.gateways import account_client
from exchanges.models import ExchangeAccount
from exchanges.vault import VaultError, opened

PAUSE_TASK = "subscriptions.tasks.pause_for_account"
TESTNET_HAS_NO_RIGHTS = "The testnet does not tell what a key may do. This one works there, with play money."


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check: reasons to refuse the key, things to know, and its rights."""

    refusals: list[str]
    warnings: list[str] = field(default_factory=list)
    rights: Mapping[str, Any] = field(default_factory=dict)


def check(account: ExchangeAccount) -> None:
    """Ask the account's exchange about its key and store the answer. For workers: it loads ccxt.

    Raises ExchangeUnavailable when there was no usable answer, or one about keys that are no longer the
    account's; then nothing changes.
    """
    if not _store(account, _find(account)):
        raise ExchangeUnavailable(f"The keys of {account} were replaced or sealed anew during the check.")


def give_up(account: ExchangeAccount, reason: ExchangeUnavailable) -> None:
    """Refuse a key that could not be checked. One that was good keeps what it had until somebody says no."""
    if account.state == ExchangeAccount.State.UNCHECKED:
        _store(account, Finding([f"The key could not be checked, so it is not used. {reason}"]))


def _find(account: ExchangeAccount) -> Finding:
    if account.environment == ExchangeAccount.Environment.LIVE and settings.EXCHANGE_TESTNET_MODE:
        return Finding(["Live accounts are switched off here by EXCHANGE_TESTNET_MODE."])
    try:
        with opened(account) as credentials:
            client = account_client(account.exchange, account.environment, credentials)
            if account.environment == ExchangeAccount.Environment.TESTNET:
                client.fetch_balances()
                return Finding([], [TESTNET_HAS_NO_RIGHTS])
            return Finding(*rights_problem(account.exchange, client.fetch_rights()))
    except (KeyRefused, UnknownExchange, VaultError) as error:
        return Finding([str(error)])
    except ExchangeUnavailable:
        raise
    except ExchangeError as error:  # not about the key: a bad minute takes nobody's rights
        raise ExchangeUnavailable(str(error)) from error


def _store(account: ExchangeAccount, finding: Finding) -> bool:
    """Write it down and tell so, unless the keys were replaced meanwhile: then it is about others."""
    states = ExchangeAccount.State
    had_rights = account.state in (states.ACTIVE, states.LOST_RIGHTS)
    refused = states.LOST_RIGHTS if had_rights else states.REFUSED
    now, reason = timezone.now(), " ".join(finding.refusals + finding.warnings)
    with transaction.atomic():
        stored = ExchangeAccount.objects.filter(pk=account.pk, sealed=account.sealed).update(
            state=refused if finding.refusals else states.ACTIVE,
            state_reason=reason,
            permissions=dict(finding.rights),
            has_address_restriction=finding.rights.get("has_address_restriction"),
            checked_at=now,
        )
        if stored and finding.refusals and account.state == states.ACTIVE:
            notify(
                people=[account.owner_id],
                event=Event.KEY_PROBLEM,
                subject=f"The keys of {account.label} are no longer good",
                text=f"Nothing trades with them any more. {reason}",
                link=account.get_absolute_url(),
                key=f"keys:{account.pk}:{now.isoformat()}",
            )
    if stored and finding.refusals:
        current_app.send_task(PAUSE_TASK, args=[account.pk])
    return bool(stored)
