"""Forms of a developer's pages. What they read is cleaned and judged by the operations that take it."""

from typing import Any

from django import forms

from bot_sdk.timeframes import TIMEFRAMES
from bots import drafting, uploads
from bots.models import MOST_TRIAL_DAYS, Bot, BotVersion, Category

ANOTHER = ""
NEXT_NUMBERS = ("a correction", "something new", "traders have to look at their settings again")
FIRST_NUMBERS = ("the first to be offered", "a first try")
FRAMEWORKS = ("onnx", "sklearn", "lightgbm", "xgboost", "keras", "pytorch")


class BotForm(forms.Form):
    """What a developer says about a bot; its name is asked for only once."""

    name = forms.CharField(
        max_length=80, help_text="It stays, and so does the address that is made of its letters and digits."
    )
    tagline = forms.CharField(
        max_length=140, help_text="One sentence for the catalogue, such as “Buys dips in a rising market.”"
    )
    description = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text="What it does, when it does well and when it does not. Markdown: **bold**, *italic*, "
        "lists, headings, links. HTML and pictures are not shown.",
    )
    bot_type = forms.ChoiceField(label="Type", choices=Bot.Type.choices)
    category = forms.ModelChoiceField(queryset=Category.objects.all(), empty_label=None)
    price_per_month = forms.DecimalField(
        label="Price per month",
        initial=0,
        min_value=0,
        max_digits=8,
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="USD, such as 29.00; 0 is free.",
    )
    trial_days = forms.IntegerField(
        label="Free trial",
        initial=0,
        min_value=0,
        max_value=MOST_TRIAL_DAYS,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text=f"Days before the first month is charged, from 0 to {MOST_TRIAL_DAYS}.",
    )
    trading_pairs = forms.CharField(
        label="Made for these pairs",
        required=False,
        help_text="Such as BTC/USDT, ETH/USDT. Empty: any.",
    )
    timeframes = forms.MultipleChoiceField(
        label="Made for these timeframes",
        required=False,
        choices=[(each, each) for each in TIMEFRAMES],
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: any.",
    )
    promised_trades_per_week = forms.DecimalField(
        label="Trades per week",
        required=False,
        min_value=0,
        max_digits=6,
        decimal_places=1,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="That it makes at least, on average. Empty: you promise nothing.",
    )
    promised_max_drawdown_percent = forms.DecimalField(
        label="Largest drawdown",
        required=False,
        min_value=0,
        max_value=100,
        max_digits=4,
        decimal_places=1,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="% below its highest equity, which it never exceeds. Empty: you promise nothing.",
    )

    def __init__(self, *args: Any, bot: Bot | None = None, **kwargs: Any) -> None:
        if bot:
            facts = {name: getattr(bot, name) for name in drafting.EDITABLE}
            kwargs["initial"] = facts | {"trading_pairs": ", ".join(bot.trading_pairs)}
        super().__init__(*args, **kwargs)
        if bot:
            del self.fields["name"]

    def clean_trading_pairs(self) -> list[str]:
        return str(self.cleaned_data["trading_pairs"]).replace(",", " ").split()


class VersionForm(forms.Form):
    """The number of a bot's next version, what is new in it, and the files that it begins with."""

    number = forms.ChoiceField(widget=forms.RadioSelect, required=False)
    other_number = forms.CharField(
        label="Another number",
        required=False,
        max_length=32,
        help_text="Such as v2.1.0. Higher than any so far.",
    )
    release_notes = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="What is new, for traders who have an earlier version. Markdown.",
    )
    copy_of = forms.ModelChoiceField(
        label="Files to begin with",
        required=False,
        queryset=BotVersion.objects.none(),
        empty_label="None",
        help_text="The files of an earlier version, which you then change.",
    )

    def __init__(self, *args: Any, bot: Bot, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = drafting.next_numbers(bot)
        meanings = NEXT_NUMBERS if len(numbers) == len(NEXT_NUMBERS) else FIRST_NUMBERS
        offered = [(each, f"{each}: {why}") for each, why in zip(numbers, meanings, strict=True)]
        self.fields["number"] = forms.ChoiceField(
            choices=[*offered, (ANOTHER, "another number")],
            widget=forms.RadioSelect,
            required=False,
            initial=numbers[0],
        )
        earlier = bot.versions.filter(artifacts__isnull=False).distinct().order_by("-created_at", "-pk")
        copy_of = self.fields["copy_of"]
        assert isinstance(copy_of, forms.ModelChoiceField)
        copy_of.queryset = earlier
        copy_of.initial = earlier.first()
        if copy_of.initial is None:
            del self.fields["copy_of"]

    @property
    def choices(self) -> dict[str, Any]:
        """The cleaned form as the arguments that `drafting.start_version` takes beside the bot."""
        data = self.cleaned_data
        return {
            "number": data["number"] or data["other_number"].strip(),
            "release_notes": data["release_notes"],
            "copy_of": data.get("copy_of"),
        }


class NotesForm(forms.Form):
    name = "notes_form"
    release_notes = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="What is new, for traders who have an earlier version. Markdown.",
    )


class UploadForm(forms.Form):
    """One way of giving a draft files; `name` tells it from the others on the page."""

    name: str

    def put(self, version: BotVersion) -> object:
        """Give the draft what the valid form has. Raises as the operations of `uploads` do."""
        raise NotImplementedError


class CodeForm(UploadForm):
    """Code that was written in the page."""

    name = "code_form"

    code = forms.CharField(
        label="bot.py",
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 24,
                "spellcheck": "false",
                "autocomplete": "off",
                "autocapitalize": "off",
                "wrap": "off",
                "class": "code-input",
            }
        ),
        error_messages={"required": "Write the code of a bot, or upload its file."},
    )

    def put(self, version: BotVersion) -> object:
        plain = str(self.cleaned_data["code"]).replace("\r\n", "\n")  # browsers send the ends of lines so
        return uploads.put_code(version=version, content=plain.encode())


class CodeFileForm(UploadForm):
    name = "code_file_form"
    code_file = forms.FileField(
        label="A file with Python code",
        allow_empty_file=True,  # so that one answer is given to what is empty
        widget=forms.FileInput(attrs={"accept": ".py,text/x-python"}),
        error_messages={"required": "Choose a file first."},
    )

    def put(self, version: BotVersion) -> object:
        return uploads.put_code(version=version, content=self.cleaned_data["code_file"].read())


class ModelFileForm(UploadForm):
    name = "model_form"
    kind = forms.ChoiceField(choices=[(kind.value, kind.label) for kind in uploads.MODEL_KINDS])
    framework = forms.CharField(
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"list": "frameworks", "autocomplete": "off"}),
        help_text="That wrote the file, such as sklearn.",
    )
    model_file = forms.FileField(
        label="File",
        allow_empty_file=True,
        max_length=None,
        error_messages={"required": "Choose a file first."},
    )

    def put(self, version: BotVersion) -> object:
        file = self.cleaned_data["model_file"]
        return uploads.put_model(
            version=version,
            kind=self.cleaned_data["kind"],
            filename=file.name,
            content=file.read(),
            framework=self.cleaned_data["framework"],
        )


class PackageForm(UploadForm):
    name = "package_form"
    package = forms.FileField(
        label="A zip with bot.py, and models below models/model, models/weights and models/config",
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
        error_messages={"required": "Choose a file first."},
    )

    def put(self, version: BotVersion) -> object:
        return uploads.put_package(version=version, file=self.cleaned_data["package"])
