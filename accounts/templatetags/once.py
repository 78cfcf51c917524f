"""`{% once %}…{% endonce %}`: what is the same on every page for everybody, rendered once per process.

Addresses and the names of static files take most of the time that a page's frame needs, and stay as they are
while a process lives. Nothing of a request, a person or a page is known inside, so none of it stays behind.
"""

from django import template
from django.template import Context
from django.template.base import Node, NodeList, Parser, Token

register = template.Library()


class Once(Node):
    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist
        self.text = ""

    def render(self, context: Context) -> str:
        if not self.text:
            nobodys = Context()
            assert context.template is not None  # which renders this
            with nobodys.bind_template(context.template):
                self.text = self.nodelist.render(nobodys)
        return self.text


@register.tag
def once(parser: Parser, token: Token) -> Once:  # noqa: ARG001
    nodelist = parser.parse(("endonce",))
    parser.delete_first_token()
    return Once(nodelist)
