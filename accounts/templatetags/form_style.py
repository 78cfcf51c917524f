"""Gives any form's widgets the classes of our CSS kit, so that forms need to know nothing of it."""

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def widget(field: BoundField) -> SafeString:
    """Render the field's widget; Django links it to its help text and errors by aria-describedby."""
    classes = [field.field.widget.attrs.get("class", ""), _kit_class(field)]
    if field.errors:
        classes.append("is-invalid")
    return field.as_widget(attrs={"class": " ".join(filter(None, classes))})


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)


def _kit_class(field: BoundField) -> str:
    control = field.field.widget
    if isinstance(control, CheckboxInput | CheckboxSelectMultiple | RadioSelect):
        return "form-check-input"
    return "form-select" if isinstance(control, Select) else "form-control"
