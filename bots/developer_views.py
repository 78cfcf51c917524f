"""A developer's own bots: list, create, edit, and each version from its draft on.

Whatever is not one's own is not there: these pages answer 404 to everybody else, staff too, who read a
version where they decide about it and where that is written down.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Q, Subquery
from django.forms import Form
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from bot_sdk.gate_steps import GATE_STEPS
from bots import drafting, facts, guide, markdown, packages, publishing, reading, storage, uploads
from bots.clearing import KEPT_FOR
from bots.developer_forms import (
    FRAMEWORKS,
    BotForm,
    CodeFileForm,
    CodeForm,
    ModelFileForm,
    NotesForm,
    PackageForm,
    UploadForm,
    VersionForm,
)
from bots.errors import (
    ArtifactError,
    InspectionUnavailable,
    MayNotPublish,
    PublishingError,
    StorageUnavailable,
    TooManyUploads,
)
from bots.history import history_of
from bots.models import Artifact, Bot, BotQuerySet, BotVersion, GateRun, Review

BOTS_PER_PAGE = 25
REFUSALS = {
    PublishingError: HTTPStatus.CONFLICT,
    MayNotPublish: HTTPStatus.FORBIDDEN,
    InspectionUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyUploads: HTTPStatus.TOO_MANY_REQUESTS,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
UNDER_WAY = (BotVersion.State.CHECKING, BotVersion.State.IN_REVIEW)
FIRST_BOT = """from bot_sdk import Action, CustomBot


class MyBot(CustomBot):
    # called once per closed candle; the newest row of `data` is that candle
    def execute_algorithm(self, data, timeframe, subscription_config=None):
        price = data["close"].iloc[-1]
        return Action("HOLD", price, "does nothing yet")
"""


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    page = Paginator(_own_bots(request), BOTS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "first_bot": reading.colored_lines(FIRST_BOT)}
    return render(request, "bots/developer_home.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_bot(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    form = BotForm(request.POST if request.method == "POST" else None)
    if "preview" not in request.POST and form.is_valid():
        made = _attempt(form, drafting.create_bot, developer=request.user, **form.cleaned_data)
        if made:
            messages.success(request, f"{made.name} is a draft now. Nobody else sees it.")
            return redirect("bots:new_version", made.slug)
    return _bot_form(request, form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_bot(request: HttpRequest, slug: str) -> HttpResponse:
    bot = _own_bot(request, slug)
    form = BotForm(request.POST if request.method == "POST" else None, bot=bot)
    if "preview" not in request.POST and form.is_valid():
        edited = _attempt(form, drafting.edit_bot, bot=bot, **form.cleaned_data)
        if edited:
            messages.success(request, "Saved.")
            return redirect(edited.developers_url)
    return _bot_form(request, form, bot=bot)


@login_required
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The part of a form that shows Markdown as it will look."""
    text = request.POST.get("description", "") or request.POST.get("release_notes", "")
    return render(request, "components/markdown_preview.html", _preview(text))


@login_required
@require_safe
def own_bot(request: HttpRequest, slug: str) -> HttpResponse:
    bot = get_object_or_404(
        Bot.objects.by(request.user).with_subscribers().select_related("category"), slug=slug
    )
    versions = list(bot.versions.with_subscribers().order_by("-created_at", "-pk"))
    context = {
        "bot": bot,
        "versions": versions,
        "is_judged": _is_judged(bot),
        "offered": next((each for each in versions if each.state == BotVersion.State.PUBLISHED), None),
    }
    return render(request, "bots/own_bot.html", context)


@login_required
@require_POST
def retire_bot(request: HttpRequest, slug: str) -> HttpResponse:
    bot = _own_bot(request, slug)
    _do(request, publishing.retire_bot, bot=bot, done=f"{bot.name} is off the catalogue for good.")
    return redirect(bot.developers_url)


@login_required
@require_POST
def delete_bot(request: HttpRequest, slug: str) -> HttpResponse:
    bot = _own_bot(request, slug)
    kept = " Staff keep the versions that they judged." if _is_judged(bot) else ""
    done = f"{bot.name} and all its files are gone.{kept}"
    is_done = _do(request, drafting.delete_bot, bot=bot, done=done)
    return redirect("bots:developer_home" if is_done else bot.developers_url)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_version(request: HttpRequest, slug: str) -> HttpResponse:
    bot = _own_bot(request, slug)
    form = VersionForm(request.POST if request.method == "POST" else None, bot=bot)
    if form.is_valid():
        made = _attempt(form, drafting.start_version, bot=bot, **form.choices)
        if made:
            return redirect(made.developers_url)
    return render(request, "bots/version_form.html", {"bot": bot, "form": form}, status=_status(form))


@login_required
@require_safe
def version(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _version_page(request, _own_version(request, slug, number))


@login_required
@require_safe
def gate(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    """The part of a version's page that asks for itself again while the checks run."""
    found = _own_version(request, slug, number)
    context = {"bot": found.bot, "version": found, **_gate_facts(found)}
    response = render(request, "bots/version.html#live", context)
    if found.state != BotVersion.State.CHECKING:
        response["HX-Refresh"] = "true"  # what can be done on the page is another thing now
    return response


@login_required
@require_safe
def code(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    found = _own_version(request, slug, number)
    try:
        text = storage.read_code(found)
    except ArtifactError as error:
        return _unreadable(request, found, error)
    context = {
        "bot": found.bot,
        "version": found,
        "lines": reading.colored_lines(text),
        "is_cut": reading.is_cut(text),
        "earlier": _others(found),
    }
    return render(request, "bots/code.html", context)


@login_required
@require_safe
def download(request: HttpRequest, slug: str, number: str) -> HttpResponse | FileResponse:
    """The version's files as a zip."""
    found = _own_version(request, slug, number)
    try:
        package = packages.pack(found)
    except ArtifactError as error:
        return _unreadable(request, found, error)
    return FileResponse(package, as_attachment=True, filename=packages.filename(found))


@login_required
@require_safe
def file(request: HttpRequest, slug: str, number: str, pk: int) -> HttpResponse:
    """Lead to one of the version's files in storage, by a link that soon ends."""
    assert isinstance(request.user, User)
    artifact = get_object_or_404(_own_version(request, slug, number).artifacts, pk=pk)
    return redirect(storage.link(artifact, person=request.user))


@login_required
@require_safe
def diff(request: HttpRequest, slug: str, number: str, other: str) -> HttpResponse:
    new, old = _own_version(request, slug, number), _own_version(request, slug, other)
    context: dict[str, Any] = {"bot": new.bot, "version": new, "other": old, "earlier": _others(new)}
    try:
        context["changes"] = reading.changes(storage.read_code(old), storage.read_code(new))
    except reading.TooMuchToCompareError as error:
        context["problem"] = str(error)
    except ArtifactError as error:
        return _unreadable(request, new, error)
    context["files"] = _changed_files(old, new)
    return render(request, "bots/diff.html", context)


@login_required
@require_POST
def put_code(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _upload(request, slug, number, CodeForm(request.POST))


@login_required
@require_POST
def put_code_file(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _upload(request, slug, number, CodeFileForm(request.POST, request.FILES))


@login_required
@require_POST
def put_model(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _upload(request, slug, number, ModelFileForm(request.POST, request.FILES))


@login_required
@require_POST
def put_package(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _upload(request, slug, number, PackageForm(request.POST, request.FILES))


@login_required
@require_POST
def remove_file(request: HttpRequest, slug: str, number: str, pk: int) -> HttpResponse:
    found = _own_version(request, slug, number)
    artifact = get_object_or_404(found.artifacts, pk=pk)
    _do(
        request,
        uploads.remove_file,
        version=found,
        artifact=artifact,
        done=f"{artifact.filename} is removed.",
    )
    return redirect(found.developers_url)


@login_required
@require_POST
def write_notes(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    found = _own_version(request, slug, number)
    form = NotesForm(request.POST)
    if form.is_valid():
        written = _attempt(form, drafting.write_notes, version=found, **form.cleaned_data)
        if written:
            messages.success(request, "Saved.")
            return redirect(written.developers_url)
    return _version_page(request, found, form, status=HTTPStatus.BAD_REQUEST)


@login_required
@require_POST
def submit(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _change(
        request,
        slug,
        number,
        drafting.submit,
        "Submitted: its files cannot change any more, and are being checked.",
    )


@login_required
@require_POST
def discard(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    found = _own_version(request, slug, number)
    is_done = _do(
        request, drafting.discard, version=found, done=f"The draft {number} and its files are gone."
    )
    return redirect(found.bot.developers_url if is_done else found.developers_url)


@login_required
@require_POST
def withdraw(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _change(request, slug, number, drafting.withdraw, "Withdrawn: nobody looks at it any more.")


@login_required
@require_POST
def retire(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _change(
        request, slug, number, publishing.retire, "It is not offered any more. Those who have it keep it."
    )


@login_required
@require_POST
def offer_again(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _change(request, slug, number, publishing.offer_again, "It is offered again.")


@login_required
@require_POST
def roll_back(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    return _change(request, slug, number, publishing.roll_back, f"New subscribers get {number} from now on.")


@require_safe
def guide_page(request: HttpRequest, name: str = guide.FIRST) -> HttpResponse:
    """The developers' guide, and what it leads to."""
    found = guide.read(name)
    if found is None:
        raise Http404
    return render(request, "bots/guide.html", {"page": found, "pages": guide.pages()})


def _own_bots(request: HttpRequest) -> BotQuerySet:
    versions = BotVersion.objects.filter(bot=OuterRef("pk"))
    newest = versions.order_by("-created_at", "-pk")
    return (
        Bot.objects.by(request.user)
        .with_subscribers()
        .annotate(
            newest_number=Subquery(newest.values("number")[:1]),
            newest_state=Subquery(newest.values("state")[:1]),
            offered_number=Subquery(newest.published().values("number")[:1]),
            waiting_count=Count("versions", distinct=True, filter=Q(versions__state__in=UNDER_WAY)),
        )
        .order_by("-created_at", "-pk")
    )


def _own_bot(request: HttpRequest, slug: str) -> Bot:
    return get_object_or_404(Bot.objects.by(request.user), slug=slug)


def _is_judged(bot: Bot) -> bool:
    return Review.objects.filter(version__bot=bot).exists()


def _own_version(request: HttpRequest, slug: str, number: str) -> BotVersion:
    mine = BotVersion.objects.by(request.user).with_subscribers().select_related("bot")
    return get_object_or_404(mine, bot__slug=slug, number=number)


def _others(version: BotVersion) -> Sequence[BotVersion]:
    """Return the bot's other versions with code, the newest first."""
    others = version.bot.versions.filter(artifacts__kind=Artifact.Kind.CODE).exclude(pk=version.pk)
    return list(others.order_by("-created_at", "-pk"))


def _bot_form(request: HttpRequest, form: BotForm, bot: Bot | None = None) -> HttpResponse:
    context = {"form": form, "bot": bot, **_preview(str(form["description"].value() or ""))}
    return render(request, "bots/bot_form.html", context, status=_status(form))


def _preview(text: str) -> dict[str, Any]:
    try:
        return {"html": markdown.render(facts.clean_markdown(text))}
    except ValidationError as error:
        return {"problem": " ".join(error.messages)}


def _version_page(
    request: HttpRequest,
    found: BotVersion,
    tried: UploadForm | NotesForm | None = None,
    *,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Answer with the page of a version, and on a draft's with the form that was `tried` and refused."""
    gate_facts = _gate_facts(found)
    artifacts = list(found.artifacts.all())
    context: dict[str, Any] = {
        "bot": found.bot,
        "version": found,
        "artifacts": artifacts,
        "has_code": any(each.kind == Artifact.Kind.CODE for each in artifacts),
        "is_current": found == found.bot.current_version,
        "kept_days": KEPT_FOR.days,
        "history": history_of(found, gate_facts["gate"], found.reviews.all()),
        "earlier": _others(found),
        "problems": _problems(tried) if tried else (),
        **gate_facts,
    }
    if found.state == BotVersion.State.DRAFT:
        context |= _draft_forms(found)
        if tried:
            context[tried.name] = tried
    return render(request, "bots/version.html", context, status=status)


def _draft_forms(found: BotVersion) -> dict[str, Any]:
    return {
        CodeForm.name: CodeForm(initial={"code": _code_of(found)}),
        CodeFileForm.name: CodeFileForm(),
        ModelFileForm.name: ModelFileForm(),
        PackageForm.name: PackageForm(),
        NotesForm.name: NotesForm(initial={"release_notes": found.release_notes}),
        "frameworks": FRAMEWORKS,
    }


def _code_of(found: BotVersion) -> str:
    """Return the draft's code for the editor, or that of a first bot."""
    if not found.artifacts.filter(kind=Artifact.Kind.CODE).exists():
        return FIRST_BOT
    try:
        return storage.read_code(found)
    except ArtifactError as error:
        return f"# {error}\n"


def _gate_facts(found: BotVersion) -> dict[str, Any]:
    run = GateRun.objects.filter(version=found).prefetch_related("steps").first()
    steps = [{"step": step, "check": GATE_STEPS.get(step.code)} for step in (run.steps.all() if run else ())]
    done = [each for each in steps if each["step"].finished_at]  # type: ignore[union-attr]
    return {"gate": run, "steps": steps, "done": len(done)}


def _changed_files(old: BotVersion, new: BotVersion) -> Sequence[tuple[str, str]]:
    """Return what became of each file that differs: "added", "removed" or "changed"."""
    before = {(each.kind, each.filename): each.sha256 for each in old.artifacts.all()}
    after = {(each.kind, each.filename): each.sha256 for each in new.artifacts.all()}
    found = []
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            what = "added" if key not in before else "removed" if key not in after else "changed"
            found.append((key[1], what))
    return found


def _unreadable(request: HttpRequest, found: BotVersion, error: ArtifactError) -> HttpResponse:
    messages.error(request, str(error))
    return redirect(found.developers_url)


def _upload(request: HttpRequest, slug: str, number: str, form: UploadForm) -> HttpResponse:
    """Take what was sent. The page's script, which shows progress, is answered in JSON."""
    found = _own_version(request, slug, number)
    status = _put(found, form)
    is_script = request.headers.get("Accept") == "application/json"
    if form.errors:
        if is_script:
            return JsonResponse({"problems": _problems(form)}, status=status)
        return _version_page(request, found, form, status=status)
    messages.success(request, "Stored.")
    if is_script:
        return JsonResponse({"next": found.developers_url})
    return redirect(found.developers_url)


def _put(found: BotVersion, form: UploadForm) -> HTTPStatus:
    """Store what the form has; what is in the way is then among its errors."""
    if not form.is_valid():
        return HTTPStatus.BAD_REQUEST
    try:
        form.put(found)
    except ValidationError as error:
        form.add_error(None, error)
        return HTTPStatus.BAD_REQUEST
    except (PublishingError, StorageUnavailable) as error:
        form.add_error(None, str(error))
        return REFUSALS[type(error)]
    return HTTPStatus.OK


def _problems(form: Form) -> Sequence[str]:
    return [str(message) for errors in form.errors.values() for message in errors]


def _change(
    request: HttpRequest, slug: str, number: str, operation: Callable[..., object], message: str
) -> HttpResponse:
    found = _own_version(request, slug, number)
    _do(request, operation, version=found, done=message)
    return redirect(found.developers_url)


def _do(request: HttpRequest, operation: Callable[..., object], *, done: str, **arguments: Any) -> bool:
    """Do it, and tell how it went; whether it was done."""
    try:
        operation(**arguments)
    except (PublishingError, ArtifactError) as error:
        messages.error(request, str(error))
        return False
    messages.success(request, done)
    return True


def _attempt[Made](form: Form, operation: Callable[..., Made], **arguments: Any) -> Made | None:
    """Do it; None when it was refused and the form now says why."""
    try:
        return operation(**arguments)
    except ValidationError as error:
        named = hasattr(error, "error_dict") and set(error.error_dict) <= {*form.fields, "__all__"}
        form.add_error(None, error if named else ValidationError(error.messages))
    except (PublishingError, ArtifactError) as error:
        form.add_error(None, str(error))
    return None


def _status(form: Form) -> HTTPStatus:
    return HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
