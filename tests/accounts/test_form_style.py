from django import forms
from django.template.loader import render_to_string


class Settings(forms.Form):
    nickname = forms.CharField(help_text="<b>As others see it.")
    speed = forms.ChoiceField(choices=[("slow", "Slow"), ("fast", "Fast")], required=False)
    is_loud = forms.BooleanField(required=False)
    side = forms.ChoiceField(
        choices=[("buy", "Buy"), ("sell", "Sell")], widget=forms.RadioSelect, help_text="One."
    )
    token = forms.CharField(widget=forms.HiddenInput)


def rendered(name: str, data: dict[str, str] | None = None) -> str:
    return " ".join(render_to_string("components/field.html", {"field": Settings(data)[name]}).split())


def test_a_field_has_its_label_and_its_help_is_linked_and_escaped() -> None:
    html = rendered("nickname")

    assert '<label class="form-label" for="id_nickname"> Nickname </label>' in html
    assert 'class="form-control"' in html
    assert 'aria-describedby="id_nickname_helptext"' in html
    assert '<div class="form-hint" id="id_nickname_helptext">&lt;b&gt;As others see it.</div>' in html


def test_an_error_is_linked_and_marks_the_field_invalid() -> None:
    html = rendered("nickname", {"nickname": ""})

    assert 'class="form-control is-invalid"' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_nickname_helptext id_nickname_error"' in html
    assert 'id="id_nickname_error"' in html


def test_a_choice_that_may_stay_empty_says_so() -> None:
    html = rendered("speed")

    assert 'class="form-select"' in html
    assert "optional" in html


def test_a_checkbox_stands_before_its_label() -> None:
    html = rendered("is_loud")

    assert 'class="form-check-input"' in html
    assert html.index("<input") < html.index("<label")


def test_radio_buttons_are_a_group_with_a_legend_and_keep_what_was_chosen() -> None:
    html = rendered("side", {"side": "sell"})

    assert '<fieldset aria-describedby="id_side_helptext">' in html
    assert '<legend class="form-label">Side</legend>' in html
    assert 'value="sell" id="id_side_1" checked' in html
    assert 'value="buy" id="id_side_0" checked' not in html


def test_a_hidden_field_has_neither_label_nor_frame() -> None:
    assert rendered("token") == '<input type="hidden" name="token" id="id_token">'
