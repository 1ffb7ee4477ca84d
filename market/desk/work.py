"""Perlu Anda: what waits for this person, each with its fact, amount, age, role and one verb. Empty when all is done."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role
from market.collection import flags, held, reconciliation
from market.collection import service as collection
from market.collection.pending import Waiting
from market.dues.waiting import waiting_decisions
from market.money import rp
from market.payments import service as payments
from market.payments.payouts import differences
from market.payments.refunds import refund_list
from market.pricing.correcting import WaitingCorrection, waiting_corrections
from market.pricing.waiting import WaitingSheet, waiting_sheets
from market.vendors.models import Market
from market.web.i18n import gettext, ngettext
from market.web.words import ago, day_short

SHEETS_BACK = timedelta(days=7)  # an older morning is history, not work


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
    found += _voids(session, by, ids)
    found += _slips(session, by, ids)
    found += _bank(session, by, markets, today)
    found += _refunds(session, by, ids)
    found += _lateness(session, by, ids, today)
    found += [t for w in waiting_sheets(session, ids, since=today - SHEETS_BACK) if (t := _sheet(w, by, today))]
    found += [t for w in waiting_corrections(session, ids) if (t := _price(w, by, today))]
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
    if w.kind == "at_counter" and age > 0 and by.has(Role.clerk, Role.market_head, market_id=w.market_id):
        fact = gettext("Kas loket %(amount)s belum diserahkan") % {"amount": rp(w.amount)}
        own = by.has(Role.clerk, market_id=w.market_id)
        href = f"/office/counter?market={w.market_id}" if own else f"/office/closing?market={w.market_id}"
        return Task("needs", fact, told, href, gettext("Serahkan kas"), age_days=age)
    if w.kind == "to_verify" and heads:
        fact = gettext("%(amount)s menunggu Anda hitung") % {"amount": rp(w.amount)}
        return Task("needs", fact, told, closing, gettext("Hitung kas"), age_days=age)
    if w.kind == "short" and (heads or money):
        fact = gettext("Penyerahan kas berbeda %(amount)s") % {"amount": rp(w.amount)}
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


def _sheet(w: WaitingSheet, by: Principal, today: date) -> Task | None:
    age = (today - w.day).days
    href = f"/office/prices?market={w.market_id}&day={w.day}"
    detail = f"{w.market_id} · {day_short(w.day)}"
    own = by.user_id is not None and w.entered_by == by.user_id
    if w.state in ("submitted", "approved") and by.has(Role.market_head, market_id=w.market_id) and not own:
        return Task(
            "waiting", gettext("Harga menunggu persetujuan Anda"), detail, href, gettext("Periksa harga"), age_days=age
        )
    if w.state == "returned" and by.has(Role.surveyor, market_id=w.market_id):
        return Task(
            "needs", gettext("Ada harga yang dikembalikan kepada Anda"), detail, href, gettext("Perbaiki"), age_days=age
        )
    if w.state == "draft" and age == 0 and by.has(Role.surveyor, market_id=w.market_id):
        return Task("waiting", gettext("Catatan harga hari ini belum dikirim"), detail, href, gettext("Lanjutkan"))
    return None


def _price(w: WaitingCorrection, by: Principal, today: date) -> Task | None:
    """A large correction of a published price, for anybody but the one who asked for it."""
    if w.asked_by == by.user_id or not by.has(Role.market_head, Role.director, market_id=w.market_id):
        return None
    href, age = f"/office/prices?market={w.market_id}&day={w.day}", (today - clock.local(w.asked_at).date()).days
    detail = f"{w.market_id} · {day_short(w.day)} · {w.commodity_id}"
    return Task("needs", gettext("Koreksi harga menunggu Anda"), detail, href, gettext("Putuskan"), age_days=age)


def _voids(session: Session, by: Principal, ids: list[str]) -> list[Task]:
    """Receipts somebody else asks to take back, by market: each waits for its head."""
    mine = [m for m in ids if by.has(Role.market_head, market_id=m)]
    rows = [row for row in collection.waiting_voids(session, mine) if row.asked_by != by.user_id]
    found = []
    for market_id in dict.fromkeys(row.market_id for row in rows):
        own = [row for row in rows if row.market_id == market_id]
        fact = ngettext("%(n)s pembatalan menunggu Anda", "%(n)s pembatalan menunggu Anda", len(own)) % {"n": len(own)}
        detail = f"{market_id} · {rp(sum(row.amount for row in own))} · {ago(own[0].asked_at)}"
        found.append(Task("needs", fact, detail, f"/office/voids?market={market_id}", gettext("Putuskan")))
    return found


def _slips(session: Session, by: Principal, ids: list[str]) -> list[Task]:
    """Signed slips that wait for a word, and what looked wrong about them, by market."""
    mine = flags.markets_of(session, by, ids)
    if not mine:
        return []
    waiting = held.sums(session, mine)
    odd = Counter(f.market_id for f in flags.open_flags(session, mine))
    odd.update(gap.market_id for gap in flags.gaps(session, mine))
    found = []
    for market_id in mine:
        n, amount = waiting.get(market_id, (0, 0))
        href = f"/office/devices?market={market_id}"
        if n:
            fact = ngettext("%(n)s slip menunggu keputusan Anda", "%(n)s slip menunggu keputusan Anda", n) % {"n": n}
            found.append(Task("needs", fact, f"{market_id} · {rp(amount)}", href, gettext("Putuskan"), risk=True))
        if k := odd[market_id]:
            fact = ngettext("%(n)s temuan pada slip perangkat", "%(n)s temuan pada slip perangkat", k) % {"n": k}
            found.append(Task("needs", fact, market_id, href, gettext("Periksa")))
    return found


def _bank(session: Session, by: Principal, markets: list[Market], today: date) -> list[Task]:
    """Late deposits by market and day; what the bank and the providers show that nothing explains, by operator."""
    mine = [m for m in markets if by.has(Role.treasurer, market_id=m.id)]
    found = []
    for market_id, day, amount in reconciliation.late(session, mine, today) if mine else []:
        fact = gettext("Setoran terlambat %(amount)s") % {"amount": rp(amount)}
        detail = f"{market_id} · {day_short(day)}"
        href, verb = f"/office/deposits?market={market_id}", gettext("Setor")
        found.append(Task("needs", fact, detail, href, verb, risk=True, age_days=(today - day).days))
    for operator_id in sorted({m.operator_id for m in mine if by.has(Role.treasurer, operator_id=m.operator_id)}):
        href = f"/office/reconciliation?operator={operator_id}"
        ids = [m.id for m in mine if m.operator_id == operator_id]
        loose = reconciliation.work(session, operator_id, ids).lines
        unlike = differences(session, operator_id, ids, today)
        if loose:
            n, amount = len(loose), sum(x.line.amount for x in loose)
            fact = ngettext("%(n)s mutasi bank belum diketahui", "%(n)s mutasi bank belum diketahui", n) % {"n": n}
            age = max(0, (today - loose[0].line.booked_on).days)
            found.append(Task("needs", fact, f"{operator_id} · {rp(amount)}", href, gettext("Cocokkan"), age_days=age))
        if unlike:
            n = len(unlike)
            fact = ngettext("%(n)s selisih QRIS dan kartu", "%(n)s selisih QRIS dan kartu", n) % {"n": n}
            age = max(0, (today - unlike[0].since).days)
            found.append(Task("needs", fact, operator_id, href, gettext("Periksa"), age_days=age))
    return found


def _lateness(session: Session, by: Principal, ids: list[str], today: date) -> list[Task]:
    """Plans and letters wait for a head or a director, write-offs for a director; never for the one who asked."""
    found = []
    rows = [w for w in waiting_decisions(session, ids) if w.created_by != by.user_id]
    for market_id in dict.fromkeys(w.market_id for w in rows):
        may_decide = by.has(Role.market_head, Role.director, market_id=market_id)
        may_direct = by.has(Role.director, market_id=market_id)
        own = [w for w in rows if w.market_id == market_id and (may_direct if w.kind == "writeoff" else may_decide)]
        if own:
            told = ngettext(
                "%(n)s keputusan tunggakan menunggu Anda", "%(n)s keputusan tunggakan menunggu Anda", len(own)
            )
            detail = f"{market_id} · {rp(sum(w.amount for w in own))} · {ago(own[0].created_at)}"
            age = (today - clock.local(own[0].created_at).date()).days
            href = f"/office/arrears?market={market_id}"
            found.append(Task("needs", told % {"n": len(own)}, detail, href, gettext("Putuskan"), age_days=age))
    return found


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


def _refunds(session: Session, by: Principal, ids: list[str]) -> list[Task]:
    """Money on its way back that waits for a second person, or that a provider could not send."""
    found = []
    for market_id in [m for m in ids if by.has(Role.treasurer, Role.market_head, market_id=m)]:
        rows = [r for r in refund_list(session, market_id, open_only=True) if r.state != "sending"]
        own = [r for r in rows if r.state != "proposed" or r.asked_by != by.user_id]
        if own:
            n = len(own)
            fact = ngettext("%(n)s pengembalian menunggu Anda", "%(n)s pengembalian menunggu Anda", n) % {"n": n}
            detail = f"{market_id} · {rp(sum(r.amount for r in own))} · {ago(own[-1].asked_at)}"
            href = f"/office/payments/refunds?market={market_id}"
            found.append(Task("needs", fact, detail, href, gettext("Putuskan")))
    return found
