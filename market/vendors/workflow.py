"""The workflow as data: which step may be taken from which state, by whom, whether a reason is due, what it becomes.

One table, read by the services (may this step be taken?), by the pages (which buttons are there?) and by the letters
(what is said). Nothing else decides about a state.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Forbidden, Invalid
from market.ledger import service as ledger
from market.vendors.life_models import LifeStep
from market.words import N_, say

HEAD = (Role.market_head, Role.director)
DESK = (Role.clerk, Role.market_head)
OWN = (Role.vendor, Role.clerk)


class StepNotOpen(Conflict):
    message = N_("Langkah ini tidak bisa diambil sekarang. Keadaannya sudah berubah; muat ulang halaman.")


class ReasonMissing(Invalid):
    message = N_("Tulis alasannya. Alasan tercetak di surat.")


@dataclass(frozen=True)
class Rule:
    """From `before` by `action` to `after`. `verb` stands on the button, `letter` heads the printed letter."""

    subject: str
    before: str
    action: str
    after: str
    roles: tuple[Role, ...]
    reason: bool
    verb: str
    letter: str


RULES = tuple(
    Rule(*row)
    for row in (
        ("application", "", "submit", "SUBMITTED", OWN, False, N_("Ajukan"), N_("Tanda terima permohonan")),
        ("application", "SUBMITTED", "return", "RETURNED", DESK, True, N_("Kembalikan untuk dilengkapi"), N_("Permohonan perlu dilengkapi")),
        ("application", "RETURNED", "resubmit", "SUBMITTED", OWN, False, N_("Ajukan lagi"), N_("Tanda terima permohonan")),
        ("application", "SUBMITTED", "verify", "VERIFIED", (Role.clerk,), False, N_("Nyatakan lengkap"), N_("Permohonan lengkap")),
        ("application", "VERIFIED", "return", "RETURNED", DESK, True, N_("Kembalikan untuk dilengkapi"), N_("Permohonan perlu dilengkapi")),
        ("application", "VERIFIED", "approve", "WAITLISTED", HEAD, False, N_("Setujui masuk daftar tunggu"), N_("Permohonan disetujui, masuk daftar tunggu")),
        ("application", "VERIFIED", "reject", "REJECTED", HEAD, True, N_("Tolak"), N_("Permohonan belum dapat dikabulkan")),
        ("application", "WAITLISTED", "offer", "OFFERED", HEAD, False, N_("Tawarkan tempat"), N_("Penawaran tempat")),
        ("application", "OFFERED", "accept", "ACCEPTED", OWN, False, N_("Terima tempat ini"), N_("Penerimaan tempat dan izin pakai")),
        ("application", "OFFERED", "decline", "WAITLISTED", OWN, True, N_("Tidak jadi, tetap menunggu"), N_("Penawaran tidak diambil")),
        ("application", "OFFERED", "lapse", "LAPSED", HEAD, False, N_("Nyatakan lewat waktu"), N_("Penawaran lewat waktu")),
        ("application", "LAPSED", "requeue", "WAITLISTED", HEAD, True, N_("Kembalikan ke daftar tunggu"), N_("Kembali ke daftar tunggu")),
        ("application", "SUBMITTED", "withdraw", "WITHDRAWN", OWN, False, N_("Tarik permohonan"), N_("Permohonan ditarik")),
        ("application", "RETURNED", "withdraw", "WITHDRAWN", OWN, False, N_("Tarik permohonan"), N_("Permohonan ditarik")),
        ("application", "WAITLISTED", "withdraw", "WITHDRAWN", OWN, False, N_("Tarik permohonan"), N_("Permohonan ditarik")),
        ("permit", "ACTIVE", "validate", "ACTIVE", DESK, False, N_("Sahkan untuk tahun ini"), N_("Pengesahan tahunan izin")),
        ("permit", "ACTIVE", "renew", "ACTIVE", HEAD, False, N_("Perpanjang"), N_("Perpanjangan izin")),
        ("permit", "ACTIVE", "suspend", "SUSPENDED", HEAD, True, N_("Hentikan sementara"), N_("Izin dihentikan sementara")),
        ("permit", "SUSPENDED", "resume", "ACTIVE", HEAD, False, N_("Berlakukan lagi"), N_("Izin berlaku lagi")),
        ("permit", "SP3", "revoke", "SP3", HEAD, True, N_("Cabut izin"), N_("Keputusan pencabutan izin")),
        ("permit", "SP3", "uphold", "ACTIVE", (Role.director,), True, N_("Kabulkan keberatan"), N_("Keberatan dikabulkan, pencabutan dibatalkan")),
        ("permit", "ACTIVE", "return", "RETURNED", DESK, True, N_("Terima pengembalian"), N_("Tanda terima pengembalian tempat")),
        ("permit", "SUSPENDED", "return", "RETURNED", DESK, True, N_("Terima pengembalian"), N_("Tanda terima pengembalian tempat")),
        ("permit", "SP1", "return", "RETURNED", DESK, True, N_("Terima pengembalian"), N_("Tanda terima pengembalian tempat")),
        ("permit", "SP2", "return", "RETURNED", DESK, True, N_("Terima pengembalian"), N_("Tanda terima pengembalian tempat")),
        ("permit", "SP3", "return", "RETURNED", DESK, True, N_("Terima pengembalian"), N_("Tanda terima pengembalian tempat")),
        ("permit", "ACTIVE", "notice", "ACTIVE", DESK, True, N_("Catat akan dikembalikan"), N_("Pemberitahuan pengembalian tempat")),
        ("permit", "SUSPENDED", "notice", "SUSPENDED", DESK, True, N_("Catat akan dikembalikan"), N_("Pemberitahuan pengembalian tempat")),
        ("permit", "SP1", "notice", "SP1", DESK, True, N_("Catat akan dikembalikan"), N_("Pemberitahuan pengembalian tempat")),
        ("permit", "SP2", "notice", "SP2", DESK, True, N_("Catat akan dikembalikan"), N_("Pemberitahuan pengembalian tempat")),
        ("permit", "SP3", "notice", "SP3", DESK, True, N_("Catat akan dikembalikan"), N_("Pemberitahuan pengembalian tempat")),
        ("permit", "ACTIVE", "transfer", "TRANSFERRED", (Role.market_head,), True, N_("Balik nama"), N_("Balik nama izin")),
        ("permit", "ACTIVE", "inherit", "TRANSFERRED", (Role.market_head,), True, N_("Waris"), N_("Peralihan izin kepada ahli waris")),
        ("sublet", "", "report", "SUBMITTED", (*OWN, Role.market_head), False, N_("Laporkan sewa sementara"), N_("Laporan penghuni sementara")),
        ("sublet", "SUBMITTED", "approve", "APPROVED", HEAD, False, N_("Setujui"), N_("Penghuni sementara disetujui")),
        ("sublet", "SUBMITTED", "reject", "REJECTED", HEAD, True, N_("Tolak"), N_("Penghuni sementara ditolak")),
        ("relocation", "", "move", "OPEN", HEAD, True, N_("Pindahkan sementara"), N_("Penempatan sementara")),
        ("relocation", "OPEN", "end", "ENDED", HEAD, False, N_("Akhiri, semua kembali"), N_("Akhir penempatan sementara")),
    )
)  # fmt: skip
BY_KEY = {(r.subject, r.before, r.action): r for r in RULES}


def rule(subject: str, before: str, action: str) -> Rule:
    """The rule for a step. Raises StepNotOpen where there is none."""
    found = BY_KEY.get((subject, before, action))
    if found is None:
        raise StepNotOpen
    return found


def open_steps(subject: str, state: str, by: Principal, market_id: str, *, own: bool = False) -> list[Rule]:
    """What `by` may do next, in the table's order; `own` as in `take`."""
    roles = {r for r in Role if (own if r is Role.vendor else by.has(r, market_id=market_id))}
    return [r for r in RULES if (r.subject, r.before) == (subject, state) and roles & set(r.roles)]


def take(
    session: Session,
    market_id: str,
    subject: str,
    subject_id: int,
    *,
    before: str,
    action: str,
    by: Principal,
    own: bool = False,
    reason: str = "",
    facts: dict[str, str] | None = None,
    once: str | None = None,
) -> str:
    """Take one step: check it against the table, write it down with a letter's number, and return the new state.

    `own` says that the subject belongs to the vendor who acts. Raises StepNotOpen, ReasonMissing, Forbidden.
    """
    wanted = rule(subject, before, action)
    if not (own and Role.vendor in wanted.roles):
        officers = tuple(r for r in wanted.roles if r is not Role.vendor)
        if not officers:
            raise Forbidden
        by.require(*officers, market_id=market_id)
    reason = reason.strip()
    if wanted.reason and not reason and not by.is_system:
        raise ReasonMissing(fields={"reason": say(ReasonMissing.message)})
    year = clock.today().year
    step = LifeStep(
        market_id=market_id,
        id=ledger.take_numbers(session, market_id, "life_step", 1)[0],
        subject=subject,
        subject_id=subject_id,
        action=action,
        before=before,
        after=wanted.after,
        at=clock.now(),
        user_id=by.user_id,
        name=by.signature[:120],
        reason=reason[:2000],
        letter=f"{market_id}/{ledger.next_number(session, market_id, f'letter-{year}'):05d}/{year}",
        facts=facts or {},
        once=once,
    )
    session.add(step)
    session.flush()
    audit.record(
        session, by, f"{subject}.{action}", subject, str(subject_id), market_id=market_id,
        before={"state": before}, after={"state": wanted.after, "letter": step.letter},
    )  # fmt: skip
    return wanted.after


def steps_of(session: Session, market_id: str, subject: str, subject_id: int) -> list[LifeStep]:
    """What has happened to it, oldest first."""
    query = (
        select(LifeStep)
        .where(
            col(LifeStep.market_id) == market_id,
            col(LifeStep.subject) == subject,
            col(LifeStep.subject_id) == subject_id,
        )
        .order_by(col(LifeStep.id))
    )
    return list(session.execute(query).scalars())


def counted(session: Session, market_id: str, subject: str, subject_id: int, action: str) -> int:
    """How often a step was taken."""
    query = select(func.count()).where(
        col(LifeStep.market_id) == market_id, col(LifeStep.subject) == subject,
        col(LifeStep.subject_id) == subject_id, col(LifeStep.action) == action,
    )  # fmt: skip
    return int(session.execute(query).scalar_one())
