"""Jejak Rupiah: one receipt from stall to bank. Each link with its time and person; the missing one named in words."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from fastapi import APIRouter, Request, Response
from sqlmodel import Session, col, select

from market import clock
from market.auth.access import Officer, Principal
from market.auth.models import UserAccount
from market.collection.chain import Chain, chain_of, payout_chain
from market.collection.rounds import slip_name
from market.database import SessionDep
from market.desk.accounts import account_name
from market.dues.settled import settled_by
from market.money import rp
from market.payments import service as payments
from market.payments.evidence import Evidence, evidence
from market.payments.payouts import LATE_DAYS
from market.payments.receipts import ReceiptUnknown, ReceiptView, parse_number
from market.vendors import service as vendors
from market.web.i18n import gettext, ngettext
from market.web.render import render
from market.web.words import day_short, time_of

router = APIRouter(prefix="/office/trace", include_in_schema=False)


@dataclass(frozen=True)
class Station:
    """Where the money may stand: done (it passed), here, or not yet."""

    label: str
    amount: int
    kind: str
    text: str


@dataclass(frozen=True)
class Link:
    """One link: done, needs (the missing one) or waiting (cannot happen before it)."""

    kind: str
    when: str
    title: str
    detail: str = ""
    word: str = ""
    amount: int | None = None
    who: str = ""
    href: str = ""
    verb: str = ""


@dataclass(frozen=True)
class TracePage:
    """What templates/desk/trace.html shows, and what the evidence pack holds of one receipt."""

    market_name: str
    receipt: str
    over: str
    title: str
    under: str
    stations: list[Station]
    links: list[Link]
    receipts: list[tuple[str, int]] = field(default_factory=list)  # of a deposit: number and rupiah


@router.get("/{receipt}")
def trace(request: Request, session: SessionDep, by: Officer, receipt: str) -> Response:
    return render(request, "desk/trace.html", trace_page(session, by, receipt))


def trace_page(session: Session, by: Principal, number: str) -> TracePage:
    """The chain of a receipt. Another market's receipt is as unknown as one that never was."""
    key = parse_number(number)
    mine = {m.id for m in vendors.visible_markets(session, by)}
    view = payments.receipt(session, number) if key and key[0] in mine else None
    if view is None:
        raise ReceiptUnknown(number=number[:24])
    proof = evidence(session, view.market_id, view.payment_id)
    chain = chain_of(session, view.market_id, view.number, transaction_id=proof.payment.transaction_id)
    links = [*_debt(session, view), *_payment(session, view, proof, chain)]
    stations: list[Station] = []
    if view.cancelled_at is not None:
        more, stations, title = _taken_back(view)
        links += more
    elif view.method == "TUNAI":
        more, stations, title = _cash(view, chain)
        links += more
    else:
        more, stations, title = _cashless(session, view)
        links += more
    done = sum(link.kind == "done" for link in links)
    missing = len(links) - done
    under = gettext("Diterima dan tercatat benar. %(done)s mata rantai ada, %(missing)s belum.") % {
        "done": done, "missing": missing,
    }  # fmt: skip
    over = gettext("Jejak Rupiah · bukti %(number)s · %(place)s") % {"number": view.number, "place": view.place or "–"}
    return TracePage(view.market_name, view.number, over, title, under, stations, links)


def vendors_part(session: Session, view: ReceiptView, proof: Evidence) -> list[Link]:
    """What the payer may see of the chain: their debt, the decision behind it, their payment. No way into the office."""
    chain = chain_of(session, view.market_id, view.number, transaction_id=proof.payment.transaction_id)
    links = [*_debt(session, view), *_payment(session, view, proof, chain)]
    return [replace(link, href="", verb="") for link in links]


def _at(moment: datetime, view: ReceiptView) -> str:
    return f"{day_short(moment)} {time_of(moment, view.timezone)}"


def _debt(session: Session, view: ReceiptView) -> list[Link]:
    settled = settled_by(session, view.market_id, view.payment_id)
    links: list[Link] = []
    ada = gettext("ada")
    if settled:
        n = len(settled)
        first, last = settled[0][0].due_on, settled[-1][0].due_on
        when = day_short(first) if first == last else f"{day_short(first)}–{day_short(last)}"
        title = ngettext("Tagihan, %(n)s baris", "Tagihan, %(n)s baris", n) % {"n": n}
        names = " · ".join(dict.fromkeys(line.name for line, _ in settled))
        total = sum(amount for _, amount in settled)
        href = f"/office/charges?market={view.market_id}&q={view.place.split(',')[0]}"
        links.append(Link("done", when, title, names, ada, total, gettext("sistem"), href, gettext("Lihat tagihan")))
        for basis in dict.fromkeys(line.legal_basis for line, _ in settled if line.legal_basis):
            line = next(x for x, _ in settled if x.legal_basis == basis)
            place = view.place.split(",")[0]
            why = f"/office/tariffs?market={view.market_id}&place={place}&day={line.due_on}"
            detail = line.explanation
            links.append(
                Link("done", "", basis, detail, ada, None, gettext("direksi"), why, gettext("Kenapa tarif ini?"))
            )
    if view.credited:
        why = (
            gettext("Kelebihan menjadi titipan pedagang")
            if settled
            else gettext("Datang terlambat, atau tagihannya sudah lunas: seluruhnya menjadi titipan pedagang")
        )
        links.append(Link("done", "", why, "", ada, view.credited))
    return links


def _payment(session: Session, view: ReceiptView, proof: Evidence, chain: Chain | None) -> list[Link]:
    ada = gettext("ada")
    p = proof.payment
    method = {"QRIS": "QRIS", "STRIPE": gettext("Kartu"), "TUNAI": gettext("Tunai"), "TITIPAN": gettext("Titipan")}
    who = chain.collector if chain else _name(session, p.taken_by)
    told = slip_name(chain.slip.device, chain.slip.number) if chain and chain.slip else p.provider_reference
    title = gettext("Pembayaran %(method)s, %(reference)s") % {
        "method": method.get(view.method, view.method), "reference": told,
    }  # fmt: skip
    receipt_href = f"/receipts/{view.number}"
    links = [Link("done", _at(p.paid_at, view), title, "", ada, view.amount, who, receipt_href, gettext("Bukti bayar"))]
    if proof.heard:
        n = len(proof.heard)
        heard = ngettext(
            "Notifikasi diterima %(n)s kali, dicatat 1 kali", "Notifikasi diterima %(n)s kali, dicatat 1 kali", n
        ) % {"n": n}
        ignored = [h for h in proof.heard if h.outcome in ("duplicate", "conflicting")]
        detail = (
            gettext("Diabaikan: %(times)s") % {"times": ", ".join(_at(h.received_at, view) for h in ignored)}
            if ignored
            else gettext("Tidak ada yang diabaikan")
        )
        links.append(Link("done", _at(proof.heard[0].received_at, view), heard, detail, ada, None, p.provider.upper()))
    lines = ", ".join(f"{account_name(account)} {amount:+,}".replace(",", ".") for account, amount in proof.postings)
    sealed = gettext("tersegel %(hash)s") % {"hash": proof.seal[:8]} if proof.seal else gettext("menunggu segel")
    journal = gettext("Jurnal seimbang")
    links.append(
        Link("done", _at(p.received_at, view), journal, f"{lines} · {sealed}", ada, view.amount, gettext("sistem"))
    )
    return links


def _cash(view: ReceiptView, chain: Chain | None) -> tuple[list[Link], list[Station], str]:
    """The way of cash: bag, market box, bank, statement. The first that has not happened is the one that is missing."""
    money = rp(view.amount)
    walk = chain.walk if chain else None
    handover = chain.handover if chain else None
    verified = handover is not None and handover.verified_at is not None
    made, line = (chain.deposit, chain.line) if chain else (None, None)
    code, day = (walk.session_code, walk.business_day) if walk else (view.session_code, view.business_day)
    closing = f"/office/closing?market={view.market_id}&session={code}&day={day}"
    deposits = f"/office/deposits?market={view.market_id}"
    age = (clock.today(view.timezone) - view.business_day).days
    days = ngettext("%(n)s hari", "%(n)s hari", age) % {"n": age} if age else gettext("hari ini")
    who = chain.collector if chain else gettext("loket")
    steps = [
        (
            verified,
            gettext("Penyerahan kas"),
            gettext("Belum diserahkan, %(days)s, %(who)s") % {"days": days, "who": who},
            _at(handover.verified_at, view) if handover and handover.verified_at else "",
            chain.verifier if chain and verified else who,
            closing,
            gettext("Buka penyerahan"),
            _short(handover.received - handover.expected if handover and handover.received is not None else 0),
        ),
        (
            made is not None,
            gettext("Setoran bank"),
            gettext("Belum disetor, %(days)s, bendahara") % {"days": days},
            _at(made.deposited_at, view) if made else "",
            chain.depositor if chain and made else "",
            f"/office/trace/deposit/{view.market_id}/{made.id}" if made else deposits,
            gettext("Setor"),
            made.reference if made else gettext("Bendahara menyetor setelah kas diterima dan dihitung"),
        ),
        (
            line is not None,
            gettext("Rekening koran"),
            gettext("Setoran belum ada di rekening koran"),
            day_short(line.booked_on) if line else "",
            gettext("bank") if line else "",
            deposits,
            gettext("Cocokkan"),
            line.reference if line else gettext("Dicocokkan sendiri begitu mutasinya masuk"),
        ),
    ]
    links: list[Link] = []
    blocked = False
    for done, title, missing, when, person, href, verb, detail in steps:
        if done:
            links.append(Link("done", when, title, detail, gettext("ada"), view.amount, person, href, gettext("Lihat")))
        elif not blocked:
            links.append(Link("needs", "", missing, detail, gettext("belum"), view.amount, person, href, verb))
            blocked = True
        else:
            links.append(Link("waiting", "–", title, detail, gettext("menunggu")))
    reached = 1 + sum(done for done, *_ in steps)
    labels = [gettext("Pedagang"), who, gettext("Kas pasar"), gettext("Bank"), gettext("Rekening koran")]
    passed = [gettext("ditagih"), gettext("diserahkan"), gettext("disetor"), gettext("tercatat bank"), gettext("cocok")]
    waiting = ["", gettext("belum"), gettext("belum diserahkan"), gettext("belum disetor"), gettext("belum cocok")]
    last = len(labels) - 1
    stations = [
        Station(label, view.amount, "done", passed[n])
        if n < reached or reached == last
        else Station(label, view.amount, "here", gettext("uang ada di sini"))
        if n == reached
        else Station(label, 0, "", waiting[n])
        for n, label in enumerate(labels)
    ]
    titles = {
        1: gettext("%(amount)s masih di tangan %(who)s") % {"amount": money, "who": who},
        2: gettext("%(amount)s ada di kas pasar, belum disetor") % {"amount": money},
        3: gettext("%(amount)s sudah disetor, menunggu rekening koran") % {"amount": money},
        4: gettext("%(amount)s sudah sampai di bank") % {"amount": money},
    }
    assert walk is None or walk.market_id == view.market_id
    return links, stations, titles[reached]


def _taken_back(view: ReceiptView) -> tuple[list[Link], list[Station], str]:
    """A receipt that two people took back: its money is in nobody's bag under this number any more."""
    assert view.cancelled_at is not None
    href = f"/office/voids?market={view.market_id}&receipt={view.number}"
    detail = gettext("Tagihannya terbuka lagi; uangnya keluar dari buku dengan jurnal balik")
    link = Link(
        "done", _at(view.cancelled_at, view), gettext("Dibatalkan oleh dua orang"), detail, gettext("batal"), -view.amount,
        gettext("kepala unit pasar"), href, gettext("Lihat"),
    )  # fmt: skip
    return [link], [], gettext("%(amount)s dibatalkan, bukti tidak berlaku") % {"amount": rp(view.amount)}


def _cashless(session: Session, view: ReceiptView) -> tuple[list[Link], list[Station], str]:
    """Money that never was in anybody's hands: from the payer to the acquirer, whose payout brings it to the bank."""
    rail = {"QRIS": gettext("Penyelenggara QRIS"), "STRIPE": "Stripe"}.get(view.method, gettext("Titipan"))
    money = rp(view.amount)
    if view.method == "TITIPAN":
        title = gettext("%(amount)s dibayar dari titipan") % {"amount": money}
        return [], [Station(gettext("Titipan pedagang"), view.amount, "done", gettext("dipakai"))], title
    found = payout_chain(session, view.market_id, view.payment_id)
    line = found.line if found else None
    net = found.part.gross - found.part.fee if found else 0
    desk = "/office/reconciliation"
    stations = [
        Station(gettext("Pedagang"), view.amount, "done", gettext("ditagih")),
        Station(rail, view.amount, "done" if found else "here", gettext("dicairkan") if found else gettext("uang ada di sini")),
        Station(gettext("Bank"), net, ("done" if line else "here") if found else "",
                gettext("tercatat bank") if found else gettext("menunggu pencairan")),
        Station(gettext("Rekening koran"), net if line else 0, "done" if line else "",
                gettext("cocok") if line else gettext("belum cocok")),
    ]  # fmt: skip
    if found is None:
        age = (clock.today(view.timezone) - view.business_day).days
        detail = gettext("Penyelenggara mencairkan ke rekening pengelola; dicocokkan dengan laporan pencairannya")
        if age <= LATE_DAYS:
            links = [Link("waiting", "–", gettext("Pencairan ke bank"), detail, gettext("menunggu"))]
        else:
            missing = gettext("Belum dicairkan, %(days)s, bendahara") % {
                "days": ngettext("%(n)s hari", "%(n)s hari", age) % {"n": age}
            }
            links = [Link("needs", "", missing, detail, gettext("belum"), view.amount, rail, desk, gettext("Cocokkan"))]
        return links, stations, gettext("%(amount)s diterima lewat %(rail)s") % {"amount": money, "rail": rail}
    title = gettext("Pencairan %(reference)s") % {"reference": found.payout.reference}
    fee = gettext("biaya penyelenggara %(fee)s, bersih %(net)s") % {"fee": rp(found.part.fee), "net": rp(net)}
    day, ada = day_short(found.payout.paid_on), gettext("ada")
    links = [Link("done", day, title, fee, ada, found.part.gross, rail, desk, gettext("Lihat"))]
    if line is None:
        days = (clock.today(view.timezone) - found.payout.paid_on).days
        age_told = ngettext("%(n)s hari", "%(n)s hari", days) % {"n": days} if days > 0 else gettext("hari ini")
        missing = gettext("Pencairan belum ada di rekening koran, %(days)s, bendahara") % {"days": age_told}
        links.append(Link("needs", "", missing, "", gettext("belum"), net, "", desk, gettext("Cocokkan")))
        return links, stations, gettext("%(amount)s dicairkan, menunggu rekening koran") % {"amount": money}
    whole = gettext("satu mutasi %(amount)s untuk seluruh pencairan") % {"amount": rp(line.amount)}
    links.append(
        Link("done", day_short(line.booked_on), gettext("Rekening koran %(reference)s") % {"reference": line.reference},
             whole, ada, net, gettext("bank"), f"/office/trace/line/{line.id}", gettext("Lihat"))
    )  # fmt: skip
    return links, stations, gettext("%(amount)s sudah sampai di bank") % {"amount": money}


def _short(difference: int) -> str:
    return gettext("selisih %(amount)s") % {"amount": rp(difference)} if difference else ""


def _name(session: Session, user_id: int | None) -> str:
    if user_id is None:
        return ""
    return session.exec(select(col(UserAccount.name)).where(col(UserAccount.id) == user_id)).first() or ""
