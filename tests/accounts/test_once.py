from django.template import engines


def test_what_is_rendered_once_knows_nothing_of_whom_it_was_rendered_for() -> None:
    text = (
        '{% load once %}{% once %}{{ name }}{{ request }}{% url "bots:catalogue" %}{% endonce %} {{ name }}'
    )
    template = engines["django"].from_string(text)

    assert [template.render({"name": name}) for name in ("alice", "bob")] == ["/ alice", "/ bob"]
