"""Forms of an exchange account. What was typed as a key or secret is never sent back to the browser."""

from typing import Any

from django import forms
from django.conf import settings
from django.urls import reverse

from exchanges.credentials import STEPS, BadCredentials, Credentials, read_credentials
from exchanges.models import Exchange, ExchangeAccount

Environment = ExchangeAccount.Environment

# what each exchange calls its key and secret, and how they look
NAMES = {
    Exchange.BINANCE: (
        ("API key", "64 letters and digits."),
        (
            "Secret key",
            "64 letters and digits, or a private key (Ed25519 or RSA) as its PEM file's text.",
        ),
    ),
    Exchange.COINBASE: (
        ("Key name or id", "organizations/…/apiKeys/…, or the id of an Ed25519 key."),
        ("Private key", "The whole text of the PEM file, or an Ed25519 key in base64."),
    ),
    Exchange.KRAKEN: (
        ("API key", "Letters, digits, + and /."),
        ("Private key", "Base64, which ends with ==."),
    ),
}
KEPT = "It is stored encrypted, and no page shows it again."


class UnreturnedInput(forms.TextInput):
    """A text box that comes back empty: a secret pasted into the wrong field is no safer there."""

    def format_value(self, value: Any) -> None:  # noqa: ARG002 - the signature is Django's
        return None


class KeyForm(forms.Form):
    """The keys of an account; `key_exchange` is where, unless the form itself asks for it."""

    api_key = forms.CharField(
        label="API key",
        widget=UnreturnedInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        required=False,
        help_text="Binance and Kraken: the API key. Coinbase: the name organizations/…/apiKeys/…, or the id.",
    )
    secret = forms.CharField(
        label="Secret",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        required=False,
        help_text="Binance: the secret key, or a private key in PEM form. Coinbase: the private key. "
        f"Kraken: the private key. {KEPT}",
    )

    def __init__(self, *args: Any, key_exchange: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key_exchange = key_exchange
        self.credentials: Credentials | None = None
        if key_exchange:
            self.ask_for_keys_of(key_exchange)

    def ask_for_keys_of(self, exchange: str) -> None:
        """Name and describe the fields as this exchange does, and require them."""
        for name, (label, help_text) in zip(("api_key", "secret"), NAMES[Exchange(exchange)], strict=True):
            field = self.fields[name]
            field.label, field.required = label, True
            field.help_text = f"{help_text} {KEPT}" if name == "secret" else help_text

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if self.takes_keys() and "api_key" in data and "secret" in data:
            self._read(self.key_exchange or data["exchange"])
        # what is cleaned outlives this form in tracebacks; the credentials hide themselves
        return {name: value for name, value in data.items() if name not in ("api_key", "secret")}

    def takes_keys(self) -> bool:
        return True

    def _read(self, exchange: str) -> None:
        data = self.cleaned_data
        try:
            self.credentials = read_credentials(exchange, data["api_key"], data["secret"])
        except BadCredentials as error:
            self.add_error(error.field, str(error))


class AddAccountForm(KeyForm):
    label = forms.CharField(
        label="Name", max_length=60, help_text="How you tell it apart, such as “Binance, small bots”."
    )
    exchange = forms.ChoiceField()
    environment = forms.ChoiceField(
        label="Kind of account",
        choices=Environment.choices,
        initial=Environment.PAPER,
        help_text="Paper needs no keys. The testnet is Binance's, with keys made there. "
        "Live moves real money.",
    )

    field_order = ["label", "exchange", "environment", "api_key", "secret"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        supported = [(name, Exchange(name).label) for name in settings.SUPPORTED_EXCHANGES]
        self.fields["exchange"] = forms.ChoiceField(choices=supported, initial=settings.DEFAULT_EXCHANGE)
        if (
            settings.EXCHANGE_TESTNET_MODE
        ):  # still a choice of the field's, so that it is refused with a reason
            shown = [choice for choice in Environment.choices if choice[0] != Environment.LIVE]
            self.fields["environment"].widget = forms.Select(choices=shown)
        self.steps = STEPS
        if self.asks_for_keys:
            chosen = self["exchange"].value()
            if chosen in settings.SUPPORTED_EXCHANGES:
                self.ask_for_keys_of(chosen)
                self.steps = {Exchange(chosen): STEPS[Exchange(chosen)]}

    @property
    def asks_for_keys(self) -> bool:
        """Whether the kind of account that is chosen, or posted, has keys."""
        return self["environment"].value() in (Environment.LIVE, Environment.TESTNET)

    @property
    def url(self) -> str:
        """The page with this form, empty but for where the account is to be."""
        chosen = {name: self[name].value() or "" for name in ("exchange", "environment")}
        return reverse("exchanges:add", query=chosen)

    def takes_keys(self) -> bool:
        data = self.cleaned_data
        if data.get("environment") == Environment.PAPER and (data.get("api_key") or data.get("secret")):
            self.add_error(
                "environment", "A paper account takes no keys: choose another kind, or leave them empty."
            )
        if data.get("environment") == Environment.TESTNET and data.get("exchange") not in ("BINANCE", None):
            self.add_error("environment", "Only Binance has a testnet here. Choose Binance, or paper.")
        return {"environment", "exchange"} <= data.keys() and data["environment"] != Environment.PAPER

    @property
    def choices(self) -> dict[str, Any]:
        """The cleaned form as the arguments that `accounts.add_account` takes beside the owner."""
        names = ("label", "exchange", "environment")
        return {name: self.cleaned_data[name] for name in names} | {"credentials": self.credentials}


class LabelForm(forms.Form):
    label = forms.CharField(label="Name", max_length=60)
