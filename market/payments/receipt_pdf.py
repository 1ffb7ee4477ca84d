"""A receipt as a PDF through Typst: the same paper as the printed page, the same bytes each time it is asked for."""

from io import BytesIO

import segno

from market import clock
from market.payments.receipts import ReceiptView
from market.payments.wording import figure_rows, method_words, period_words
from market.web import words
from market.web.i18n import gettext, language
from market.web.paper import pdf
from market.words import N_


def receipt_pdf(view: ReceiptView, address: str) -> bytes:
    """The PDF of a receipt, in the language of the request; `address` is what its QR holds."""
    out = BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="svg", border=2, xmldecl=False, svgns=True)
    return pdf("payments/receipt.typ", _data(view), made_at=view.paid_at, qr=out.getvalue().decode())


def _data(view: ReceiptView) -> dict[str, object]:
    wall = clock.local(view.paid_at, view.timezone)
    when = gettext(N_("{day}, pukul {time}, {method}")).format(
        day=words.day(wall.date()), time=words.time_of(view.paid_at, view.timezone), method=method_words(view.method)
    )
    figures = [row for line in view.lines for row in figure_rows(line)]
    if view.credited:
        figures.append([gettext(N_("Titipan")), words.number(view.credited)])
    returned = ""
    if view.returned and view.returned_at and view.genuine:
        said = N_("Dikembalikan seluruhnya") if view.returned >= view.amount else N_("Dikembalikan sebagian")
        day = words.day_short(view.returned_at)
        returned = f"{gettext(said)}: {words.money(view.returned)}, {day}"
    facts = [[gettext(N_("Untuk")), gettext(N_("Tempat {place}")).format(place=view.place)]] if view.place else []
    facts += [[line.name, period_words(line)] for line in view.lines]
    basis = gettext(N_("Dasar tarif: {basis}")).format(basis="; ".join(view.legal_bases)) if view.legal_bases else ""
    return {
        "lang": language(),
        "title": f"{gettext(view.document)} {view.number}",
        "heading": f"{gettext(view.document)} {view.market_name}",
        "operator": view.operator_name,
        "state": _state(view),
        "cancelled": not view.genuine,
        "amount": words.money(view.amount),
        "when": when,
        "facts": facts,
        "figures": figures,
        "total": [gettext(N_("Jumlah dibayar")), words.money(view.amount)],
        "returned": returned,
        "basis": basis,
        "number_label": gettext(N_("Nomor bukti")),
        "number": view.number,
        "scan": gettext(N_("Pindai untuk memeriksa keasliannya. Bukti ini tanpa nama.")),
    }


def _state(view: ReceiptView) -> str:
    if not view.genuine:
        return gettext(N_("DIBATALKAN"))
    return gettext(N_("Lunas")) if view.paid_off else gettext(N_("Diterima"))
