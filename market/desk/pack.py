"""`/office/evidence`: a market's period as one file an auditor can take away, and whether its sums tie to the ledger."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import audit, clock
from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.desk.packing import Pack, Row, by_account, pack
from market.errors import Invalid, NotFound
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormInput
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/evidence", include_in_schema=False)
READERS = (Role.auditor, Role.treasurer, Role.director)
Reader = Annotated[Principal, Depends(allow(*READERS))]
LONGEST = 100  # days in one file: a quarter


class PeriodUnreadable(Invalid):
    message = N_("Tulis tanggal seperti 2026-11-24, dari yang awal sampai yang akhir.")


class PeriodTooLong(Invalid):
    message = N_("Paling banyak {days} hari dalam satu berkas.")


@dataclass(frozen=True)
class PackPage:
    """What templates/monitor/evidence.html shows; `pack` is None where the period cannot be read."""

    markets: list[Market]
    market: Market
    first: str
    last: str
    today: date
    pack: Pack | None
    errors: dict[str, str]


@router.get("")
def page(request: Request, session: SessionDep, by: Reader, market: str = "") -> Response:
    asked = request.query_params
    return _page(request, session, by, market, asked.get("from", ""), asked.get("to", ""))


@router.post("/file")
def take(request: Request, session: SessionDep, by: Reader, form: FormInput) -> Response:
    """The file. A POST, because taking it is an act that the audit log keeps."""
    values = form.values
    try:
        found = _market(session, by, values.get("market", ""))
        made = export(session, found, *period(found, values.get("from", ""), values.get("to", "")), by=by)
    except Invalid:
        return _page(request, session, by, values.get("market", ""), values.get("from", ""), values.get("to", ""))
    name = f"bukti-{found.id}-{made.first}-{made.last}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(archive(made), media_type="application/zip", headers=headers)


def _page(request: Request, session: Session, by: Principal, code: str, first: str, last: str) -> Response:
    found = _market(session, by, code)
    errors: dict[str, str] = {}
    made = None
    try:
        made = pack(session, found, *period(found, first, last))
    except Invalid as refusal:
        errors = {"from": gettext(refusal.text.msgid).format(**refusal.text.args)}
    shown = (str(made.first), str(made.last)) if made else (first, last)
    markets = vendors.visible_markets(session, by, *READERS)
    told = PackPage(markets, found, *shown, clock.today(found.timezone), made, errors)
    return render(request, "monitor/evidence.html", told, 422 if errors else 200, cache_control="no-store")


def _market(session: Session, by: Principal, code: str) -> Market:
    mine = vendors.visible_markets(session, by, *READERS)
    found = next((m for m in mine if code.upper() in ("", m.id)), None)
    if found is None:
        raise NotFound
    return found


def period(market: Market, first: str, last: str) -> tuple[date, date]:
    """Both days inclusive; without either, the last seven. Raises PeriodUnreadable, PeriodTooLong."""
    today = clock.today(market.timezone)
    try:
        end = date.fromisoformat(last) if last else today
        start = date.fromisoformat(first) if first else end - timedelta(days=6)
    except (ValueError, OverflowError):
        raise PeriodUnreadable(fields={"from": say(PeriodUnreadable.message)}) from None
    if start > end:
        raise PeriodUnreadable(fields={"from": say(PeriodUnreadable.message)})
    if (end - start).days >= LONGEST:
        raise PeriodTooLong(days=LONGEST, fields={"from": say(PeriodTooLong.message, days=LONGEST)})
    return start, end


def export(session: Session, market: Market, first: date, last: date, *, by: Principal) -> Pack:
    """The pack, and a line in the audit log that says who took it."""
    by.require(*READERS, market_id=market.id)
    made = pack(session, market, first, last)
    after = {
        "from": str(first), "to": str(last), "receipts": len(made.receipts), "amount": made.amount, "ties": made.ok,
    }  # fmt: skip
    audit.record(session, by, "evidence.export", "market", market.id, market_id=market.id, after=after)
    return made


def archive(made: Pack) -> bytes:
    """A ZIP: one CSV a sheet, `summary.json` with the checks, `traces.json` with every receipt's whole trace."""
    sheets: dict[str, Sequence[Row]] = {
        "receipts": made.receipts, "charges": made.charges, "notifications": made.notifications,
        "postings": made.postings, "ledger": made.ledger,
        "checks": [{"check": c.name, "text": c.text, "here": c.here, "ledger": c.there, "ok": c.ok} for c in made.checks],
    }  # fmt: skip
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, rows in sheets.items():
            bundle.writestr(f"{name}.csv", _csv(rows))
        bundle.writestr("summary.json", _json(summary(made)))
        bundle.writestr("traces.json", _json(traces(made)))
    return target.getvalue()


def summary(made: Pack) -> dict[str, Any]:
    """What the file says of itself: its span, its sums, and each check with both figures."""
    return {
        "market": made.market.id,
        "from": made.first,
        "to": made.last,
        "made_at": made.made_at,
        "receipts": len(made.receipts),
        "amount": made.amount,
        "ignored_notifications": made.ignored,
        "missing": {words: {"receipts": n, "amount": amount} for words, (n, amount) in made.missing.items()},
        "accounts": by_account(made.postings),
        "checks": [{"check": c.name, "text": c.text, "here": c.here, "ledger": c.there, "ok": c.ok} for c in made.checks],
        "audit": {"ok": made.log.ok, "sealed": made.log.sealed, "unsealed": made.log.unsealed, "broken": made.log.broken},
        "ok": made.ok,
    }  # fmt: skip


def traces(made: Pack) -> list[dict[str, Any]]:
    """Each receipt with its own charges, notifications and postings inside it."""
    parts: dict[str, dict[str, list[Row]]] = {}
    for name, rows in (("charges", made.charges), ("notifications", made.notifications), ("postings", made.postings)):
        for row in rows:
            own = parts.setdefault(row["receipt"], {"charges": [], "notifications": [], "postings": []})
            own[name].append({k: v for k, v in row.items() if k not in ("receipt", "payment_id")})
    return [{**row, **parts.get(row["receipt"], {})} for row in made.receipts]


def _csv(rows: Sequence[Row]) -> str:
    """RFC 4180 with a header and a byte-order mark, so that a spreadsheet reads it as it is."""
    out = io.StringIO()
    if rows:
        writer = csv.writer(out)
        writer.writerow(rows[0].keys())
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> object:
    # A text that a spreadsheet would run as a formula is a text.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value.isoformat() if isinstance(value, datetime) else value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=lambda v: v.isoformat())
