"""Perlu Anda: what waits for this person, each with its fact, amount, age, role and one verb. Empty when all is done."""

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role
from market.collection import service as collection
from market.collection.pending import Waiting
from market.money import rp
from market.payments import service as payments
from market.vendors.models import Market
from market.web.i18n import gettext, ngettext
from market.web.words import ago, day_short


@dataclass(frozen=True)
class Task:
    """One row: state shape, what it is, whose and how old, where it is settled, and the verb."""

    kind: str  # needs · waiting
    fact: str
    detail: str
    href: str
    verb: str
    risk: bool = False
    age_days: int = 0


def tasks(session: Session, by: Principal, markets: list[Market], today: date) -> list[Task]:
    """Everything of these markets that `by` can settle, money at risk first, then the oldest."""
    ids = [m.id for m in markets]
    found = [t for w in collection.pending(session, ids) if (t := _cash(w, by, today))]
    found += _reviews(session, by, ids)
    return sorted(found, key=lambda t: (not t.risk, t.kind != "needs", -t.age_days))


def _cash(w: Waiting, by: Principal, today: date) -> Task | None:
    age = (today - w.business_day).days
    where = f"market={w.market_id}&session={w.session_code}&day={w.business_day}"
    closing, deposits = f"/office/closing?{where}", f"/office/deposits?market={w.market_id}"
    told = f"{w.market_id} · {w.who} · {day_short(w.business_day)}"
    heads = by.has(Role.market_head, market_id=w.market_id)
    money = by.has(Role.treasurer, market_id=w.market_id)
    if w.kind == "open_round" and (heads or money) and age > 0:
        fact = ngettext("Kas belum diserahkan, %(n)s hari", "Kas belum diserahkan, %(n)s hari", age) % {"n": age}
        return Task("needs", fact, told, closing, gettext("Buka penyerahan"), age_days=age)
    if w.kind == "to_verify" and heads:
        fact = gettext("%(amount)s menunggu Anda hitung") % {"amount": rp(w.amount)}
        return Task("needs", fact, told, closing, gettext("Hitung kas"), age_days=age)
    if w.kind == "short" and (heads or money):
        fact = gettext("Setoran berbeda %(amount)s") % {"amount": rp(w.amount)}
        return Task("needs", fact, told, closing, gettext("Periksa"), risk=True, age_days=age)
    if w.kind == "to_deposit" and money:
        days = (today - clock.local(w.since).date()).days
        fact = gettext("Belum disetor %(amount)s") % {"amount": rp(w.amount)}
        return Task("needs", fact, f"{told} · {ago(w.since)}", deposits, gettext("Setor"), days > 1, age)
    if w.kind == "unmatched" and money:
        fact = gettext("Setoran %(amount)s belum ada di rekening koran") % {"amount": rp(w.amount)}
        return Task(
            "waiting", fact, f"{w.market_id} · {w.who} · {ago(w.since)}", deposits, gettext("Cocokkan"), age_days=age
        )
    return None


def _reviews(session: Session, by: Principal, ids: list[str]) -> list[Task]:
    if not by.has(Role.treasurer):
        return []
    items = payments.open_reviews(session, ids)
    if not items:
        return []
    n, held = len(items), sum(i.amount for i in items)
    fact = ngettext("%(n)s pembayaran perlu diperiksa", "%(n)s pembayaran perlu diperiksa", n) % {"n": n}
    detail = f"{rp(held)} · {ago(items[0].created_at)}"
    return [Task("needs", fact, detail, "/office/payments/reviews", gettext("Periksa"), risk=held > 0)]
