"""A board's lines as markup. They are spelt out here and not by the components ui.price_row, ui.change and ui.reference:
a hundred macro calls would be most of the first rendering after a publication. A test holds the two equal.
"""

from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup, escape

from market.web.i18n import gettext
from market.web.render import static


class Line(NamedTuple):
    """A commodity on a board, said and drawn. Without a price, `missing` and `last` take the number's place.

    What is text is Markup already: a commodity's name is escaped once, not at each publication. `id`, `price` and the two
    words are made of letters, digits and signs of ours.
    """

    id: str
    name: Markup
    per: Markup
    price: str | None
    direction: str
    change: Markup
    judgement: str
    reference: Markup
    missing: Markup
    last: Markup
    spark: Markup


def rows(lines: Iterable[Line], base: str) -> Markup:
    """The items of a section's list; `base` is the address of the market's board with its last slash."""
    icon = f'<svg class="icon" aria-hidden="true" focusable="false"><use href="{static("icons.svg")}#'
    short = f'<span class="state none">{icon}none"/></svg><span>{escape(gettext("Data kurang"))}</span></span>'
    start = f'<div><p class="price-name"><a href="{escape(base)}'
    said = [_priced(line, start, icon) if line.price is not None else _short(line, start, short) for line in lines]
    return Markup("\n".join(said))  # noqa: S704 - a Line's texts are escaped where they are made


def _priced(line: Line, start: str, icon: str) -> str:
    judged = "" if line.judgement == "none" else f'{icon}ref-{line.judgement}"/></svg>'
    return (
        f'<li class="price">{start}{line.id}">{line.name}</a> <span class="unit">{line.per}</span></p>\n'
        f'<p class="price-now">{line.price}</p></div><div><div class="price-notes">'
        f'<span class="change {line.direction}">{icon}{line.direction}"/></svg><span>{line.change}</span></span>\n'
        f'<span class="ref {line.judgement}">{judged}<span>{line.reference}</span></span></div>{line.spark}</div></li>'
    )


def _short(line: Line, start: str, short: str) -> str:
    last = f'<span class="soft">{line.last}</span>' if line.last else ""
    return (
        f'<li class="price short">{start}{line.id}">{line.name}</a> '
        f'<span class="unit">{line.per}</span></p>\n<p class="price-now">{short}</p></div>'
        f'<div><div class="price-notes"><span>{line.missing}</span>{last}</div></div></li>'
    )
