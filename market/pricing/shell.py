"""What surrounds a public page (head, header, footer) is the same before and after a publication: it is rendered once per
address and language, and a page that must be drawn anew draws its own blocks only. A test holds the two ways equal."""

from functools import lru_cache
from typing import Any

from fastapi import Request
from jinja2 import Template

from market.web.i18n import language
from market.web.render import environment, sample_data, surroundings

BLOCKS = ("title", "description", "head", "body_class", "brand", "content")  # as in templates/pricing/_blocks.html
KEPT = 512
_shells: dict[tuple[str, str, bool], list[str]] = {}


def within(request: Request, template: str, page: Any) -> str:
    """The page as `render` makes it, for a template of these blocks that extends `layout`, asked for by a stranger."""
    around = surroundings(request, template)
    own = environment().get_template(template).render(page=page, layout=_blocks(), **around).split("\0")
    address = f"{request.url.path}?{request.url.query}"
    shell = _shells.get((address, language(), sample_data(request)))
    if shell is None:
        if len(_shells) >= KEPT:
            _shells.clear()
        shell = _shells[(address, language(), sample_data(request))] = _shell().render(page=None, **around).split("\0")
    if len(own) != len(BLOCKS):  # somebody's text has a NUL of its own
        return environment().get_template(template).render(page=page, **around)
    return "".join(part for pair in zip(shell, [*own, ""], strict=True) for part in pair)


@lru_cache
def _blocks() -> Template:
    return environment().get_template("pricing/_blocks.html")


@lru_cache
def _shell() -> Template:
    """base.html with a NUL where each block stands."""
    marks = "".join(f'{{% block {name} %}}{{{{ "\\0" }}}}{{% endblock %}}' for name in BLOCKS)
    return environment().from_string('{% extends "base.html" %}' + marks)
