"""Everybody whom the role matrix asks for, and one of each thing that they own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.test.client import ClientHandler
from django.urls import reverse
from django.utils import timezone
from rest_framework.permissions import SAFE_METHODS

from accounts import channels, tokens
from accounts.models import NotificationChannel, User
from bots import drafting, storage, uploads
from bots.models import Bot, BotVersion, GateRun, GateStep, Review
from bots.publishing import publish_version
from execution import performance
from execution.orders import position_of
from marketplace import roles
from subscriptions import reviewing
from subscriptions.models import Subscription
from subscriptions.switches import set_envelope
from tests.execution.found import make_found
from tests.factories import (
    BUYING_BOT,
    make_bot,
    make_candles,
    make_category,
    make_cycle,
    make_exchange_account,
    make_fill,
    make_order,
    make_reconciliation,
    make_staff,
    make_subscription,
    make_user,
    sign_in_staff,
)
from tests.marketplace.routes import Row

# what no other than its owner may ever read, staff apart
SECRETS = {
    "TA": ["bobs hidden label", "bobs hidden reason", "bobs-hidden-hook"],
    "DA": ["Alices Hidden Plan", "alices hidden code", "alices hidden notes", "alices-hidden.json"],
}
NOBODYS = {
    "pk": 2_000_000_000,
    "cycle_pk": 2_000_000_000,
    "review_pk": 2_000_000_000,
    "slug": "no-such-thing",
    "number": "v9.9.9",
    "other": "v9.9.9",
    "username": "nobody",
    "name": "no-such-page",
    "kind": "pigeon",
    "what": "pigeons",
    "filename": "no-such-file.json",
    "step": "no-such-step",
    "token": "no-such-token",
    "exchange": "NOWHERE",
}
_WRITES = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)


class Answer:
    """What one request came to: the response, its text, and the tables to which was written for it."""

    def __init__(self, response: Any, written: set[str]) -> None:
        self.response, self.written = response, written
        content = b"".join(response) if response.streaming else response.content
        self.text = content.decode(errors="replace")

    @property
    def letter(self) -> str:
        """As the table says it; see there."""
        status, location = self.response.status_code, self.response.headers.get("Location", "")
        path = location.partition("?")[0]
        if status == 401 or path in (reverse("account_login"), reverse("admin:login")):
            return "L"
        if path in (reverse("account_reauthenticate"), reverse("mfa_reauthenticate")):
            return "P"
        refused = {403: "3", 404: "4", 405: "5"}
        return refused.get(status, "2" if status < 400 or status in (400, 409, 415, 422) else str(status))


class _Browser(RequestFactory):
    """As Django's client, which in every request looks at each template's context and takes far longer."""

    def __init__(self) -> None:
        super().__init__()
        self.handler = ClientHandler(enforce_csrf_checks=False)

    def request(self, **request: Any) -> Any:
        return self.handler(self._base_environ(**request))  # type: ignore[attr-defined]


class Cast:
    """`things` are arguments of addresses, by the table's word for them."""

    def __init__(self, *, has_given_password: bool = False) -> None:
        self.artifacts = settings.STORAGES["artifacts"]  # where the files are
        self.people = _people()
        self._browser = _Browser()
        self.things: dict[str, dict[str, Any]] = {"-": {}}
        self.charlies: dict[str, dict[str, Any]] = {}  # the same of his, by the same words
        self._make_alices()
        self._make_bobs()
        self.sessions = {
            role: _session(person, has_given_password=has_given_password)
            for role, person in self.people.items()
        }
        self._tokens = {role: tokens.issue(user=person).access for role, person in self.people.items()}
        self._tokens["TK"] = tokens.issue(user=self.people["TA"], is_read_only=True).access
        self.refresh = {role: tokens.issue(user=person).refresh for role, person in self.people.items()}

    def address(self, row: Row, **changed: Any) -> str:
        return reverse(row.name, kwargs=self.things[row.of] | changed)

    def addresses_of_nothing(self, row: Row) -> Iterator[str]:
        """Give the address anew, each time with one of its parts for which there is nothing."""
        for part, value in self.things[row.of].items():
            if part in NOBODYS:
                yield self.address(row, **{part: uuid4() if isinstance(value, UUID) else NOBODYS[part]})

    def ask(
        self,
        role: str,
        method: str,
        address: str,
        data: Any = None,
        *,
        has_session: bool = True,
        has_token: bool = True,
    ) -> Answer:
        """Ask as a browser and a program in one, and undo what it did.

        Pages look at the session only, the API at the token only; the program with a read-only token has no
        session, and anonymous has neither.
        """
        self._browser.cookies.clear()
        if has_session and role in self.sessions:
            self._browser.cookies["sessionid"] = self.sessions[role]
        token = self._tokens.get(role) if has_token else None
        told: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"} if token else {}}
        if method not in SAFE_METHODS and (address.startswith("/api/") or method != "POST"):
            told["content_type"] = "application/json"
        written: set[str] = set()
        with _undone(), connection.execute_wrapper(_noting(written)):
            send = getattr(self._browser, method.lower())
            return Answer(send(address, {} if data is None else data, **told), written)

    def _make_alices(self) -> None:
        alice, dora = self.people["DA"], self.people["DB"]
        bot = make_bot(alice, name="Steady", slug="steady", price_per_month=0)
        published = bot.versions.get()
        gate = GateRun.objects.create(version=published, state="PASSED", finished_at=timezone.now())
        GateStep.objects.create(gate=gate, code="source", position=1, state="PASSED")
        Review.objects.create(version=published, reviewer=self.people["SU"], decision="APPROVED")
        draft = _draft(bot, "v1.1.0")
        reviewed = _draft(bot, "v1.2.0")
        BotVersion.objects.filter(pk=reviewed.pk).update(state="IN_REVIEW", submitted_at=timezone.now())
        hidden = drafting.create_bot(
            developer=alice,
            name="Alices Hidden Plan",
            tagline="x",
            description="x",
            category=make_category(),
        )
        hers = make_bot(dora, name="Doras", slug="doras")
        file = draft.artifacts.get(filename="alices-hidden.json")
        one = {"slug": bot.slug, "number": draft.number}
        token = storage.link(file, person=alice).rpartition("/")[2]
        self.things |= {
            "bot": {"slug": bot.slug},
            "hidden-bot": {"slug": hidden.slug},
            "developer": {"username": alice.username},
            "draft": one,
            "published": one | {"number": published.number},
            "difference": one | {"other": published.number},
            "file": one | {"pk": file.pk},
            "link-to-a-file": {"token": token},
            "guide": {"name": "metrics"},
            "address-key": {"key": "no-such-key"},
            "password-key": {"uidb36": "1", "key": "no-such-key"},
            "admin-bot": {"content_type_id": ContentType.objects.get_for_model(Bot).pk, "object_id": bot.pk},
            "admin-app": {"app_label": "bots"},
            "admin-person": {"id": alice.pk},
            "api-bot": {"pk": bot.pk},
            "api-hidden-bot": {"pk": hidden.pk},
            "api-draft": {"pk": bot.pk, "number": draft.number},
            "step": {"slug": bot.slug, "step": "market"},
            "api-file": {
                "pk": bot.pk,
                "number": draft.number,
                "kind": "CONFIG",
                "filename": "alices-hidden.json",
            },
            "api-published": {"pk": bot.pk, "number": published.number},
            "exchange": {"exchange": "BINANCE"},
            "submitted": {"pk": reviewed.pk},
        }
        self.bot, self.hidden, self.draft = bot, hidden, draft
        self.doras_draft = _draft(hers, "v1.1.0", secret="doras")

    def _make_bobs(self) -> None:
        for role, secret in (("TB", "charlies"), ("TA", "bobs")):
            person = self.people[role]
            account = make_exchange_account(person, label=f"{secret} hidden label")
            make_reconciliation(account)
            subscription = make_subscription(person, bot=self.bot)
            bought = make_cycle(
                subscription, age=1, action="BUY", reason=f"{secret} hidden reason", receipt={"candles": {}}
            )
            make_fill(make_order(bought))
            make_cycle(subscription, skip="HOLDING", reason=f"{secret} hidden reason")
            position_of(subscription)
            backtest, other = make_found(person, bot=self.bot), make_found(person, bot=self.bot)
            set_envelope(trader=person, quote="USDT", max_exposure=Decimal(1000), max_daily_loss=None)
            channels.email_channel(person)
            hook = NotificationChannel.objects.create(
                owner=person, kind="DISCORD", hint=f"{secret}-hidden-hook"
            )
            things: dict[str, dict[str, Any]] = {
                "account": {"pk": account.pk},
                "subscription": {"pk": subscription.pk},
                "cycle": {"pk": subscription.pk, "cycle_pk": bought.pk},
                "comparison": {"pk": subscription.pk, "number": "v1.3.0"},
                "export": {"pk": subscription.pk, "what": "cycles"},
                "backtest": {"pk": backtest.pk},
                "other-backtest": {"pk": other.pk},
                "channel": {"pk": hook.pk},
                "kind-of-channel": {"kind": "discord"},
            }
            if role == "TB":
                self.charlies |= things
        publish_version(bot=self.bot, number="v1.3.0", code=BUYING_BOT)
        self.things |= things | {"shared-backtest": {"pk": make_found(person, is_shared=True).pk}}
        begun_at = timezone.now() - timedelta(days=8)
        Subscription.objects.filter(pk=subscription.pk).update(created_at=begun_at)
        review = reviewing.write(trader=person, bot=self.bot, stars=4, text="It does what it says.")
        reviewing.report(review=review, reporter=self.people["TB"], reason="x")
        self.things |= {
            "review": {"slug": self.bot.slug, "pk": review.pk},
            "judged-review": {"pk": review.pk},
            "api-review": {"pk": self.bot.pk, "review_pk": review.pk},
        }
        make_candles(subscription.market, count=30)
        performance.measure_all(timezone.now())


def _people() -> dict[str, User]:
    sue: User = User.objects.create_superuser("sue", "sue@example.com", "x")
    return {
        "TA": make_user("bob"),
        "TB": make_user("charlie"),
        "DA": make_user("alice"),
        "DB": make_user("dora"),
        "MO": make_staff("mona", roles.MODERATOR),
        "FI": make_staff("fiona", roles.FINANCE),
        "OP": make_staff("otto", roles.OPERATOR),
        "SU": sue,
    }


def _session(person: User, *, has_given_password: bool) -> str:
    client = Client()
    if person.is_staff:
        sign_in_staff(client, person)
    else:
        client.force_login(person)
    if has_given_password:
        request = HttpRequest()
        request.session = client.session
        record_authentication(request, person, "password")
        request.session.save()
    return client.cookies["sessionid"].value


def _draft(bot: Bot, number: str, secret: str = "alices") -> BotVersion:
    draft = drafting.start_version(bot=bot, number=number, release_notes=f"{secret} hidden notes")
    uploads.put_code(version=draft, content=f"{BUYING_BOT}\n# {secret} hidden code\n".encode())
    uploads.put_model(
        version=draft, kind="CONFIG", filename=f"{secret}-hidden.json", content=b"{}", framework=""
    )
    return draft


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _noting(written: set[str]) -> Any:
    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if found := _WRITES.match(sql):
            written.add(found[1])
        return execute(sql, params, many, context)

    return note
