"""The example bank's books: QR transactions from their making to their settlement. No HTTP here."""

import json
import secrets
from datetime import date, datetime, timedelta
from typing import Any

from market import clock
from market.payments.rails import qris
from market.sandbox.courier import Courier
from market.sandbox.faults import Dice
from market.sandbox.store import Document, Store

MERCHANT = "PASAR SEWAKADARMA"
CITY = "DENPASAR"
NNS = "93600129"  # BPD Bali's national number (payments.md 3.1)
NMID = "ID2026000000017"  # invented
MDR_E4 = 70  # 0.7 %, an ordinary merchant's; borne by the operator
LIE = 1_000  # rupiah by which a lying bank's figure is off
WIB = timedelta(hours=7)


class BankRefused(Exception):
    """The bank says no. `status` and `case` are SNAP's; `reason` is a sentence for the page."""

    def __init__(self, status: int, case: int, reason: str) -> None:
        self.status, self.case, self.reason = status, case, reason
        super().__init__(reason)


class Bank:
    """Transactions are documents: amounts in whole rupiah, instants as ISO text, status in SNAP's standard codes."""

    def __init__(self, store: Store, dice: Dice, merchant_id: str) -> None:
        self.store, self.dice, self.merchant_id = store, dice, merchant_id
        self.courier: Courier  # set by the program, which knows how to sign

    def transactions(self) -> list[Document]:
        """Newest first."""
        return self.store.every("qr")

    def find(self, reference: str) -> Document:
        """By the bank's reference or the partner's. Raises BankRefused (404 case 01)."""
        known = self.store.get("partner_reference", reference)
        found = self.store.get("qr", known["id"] if known else reference)
        if found is None:
            raise BankRefused(404, 1, "Transaction Not Found")
        return found

    def generate(self, partner_reference: str, amount: int, terminal: str, expires_at: datetime) -> Document:
        """A dynamic QR. Raises BankRefused when the partner's reference was used before (409 case 01)."""
        if self.store.get("partner_reference", partner_reference):
            raise BankRefused(409, 1, "Duplicate partnerReferenceNo")
        now = clock.now()
        reference = f"Q{now:%Y%m%d}{self.store.next('qr'):06d}{secrets.randbelow(1000):03d}"
        asked = amount + LIE if self.dice.strikes("lie_qr") else amount
        document: Document = {
            "reference_no": reference,
            "partner_reference": partner_reference,
            "amount": amount,
            "terminal": terminal,
            "qr": payload(self.merchant_id, asked, reference, terminal),
            "created_at": now.isoformat(),
            "expires_at": expires_at.isoformat(),
            "status": "01",
            "paid_amount": 0,
            "paid_at": None,
            "rrn": "",
            "refunds": [],
        }
        with self.store.change():
            self.store.put("qr", reference, document)
            self.store.put("partner_reference", partner_reference, {"id": reference})
        return document

    def pay(self, reference: str, amount: int | None = None, *, late: bool = False) -> Document:
        """The payer pays, and the bank tells the market. Another amount and a late payment are a bank's mistakes."""
        with self.store.change():
            document = self.find(reference)
            if document["status"] != "01":
                raise BankRefused(404, 14, "Paid Bill" if document["status"] == "00" else "Transaction Cancelled")
            if clock.now() > datetime.fromisoformat(document["expires_at"]) and not late:
                raise BankRefused(404, 19, "Expired")
            document |= {
                "status": "00",
                "paid_amount": document["amount"] if amount is None else amount,
                "paid_at": clock.now().isoformat(),
                "rrn": f"{secrets.randbelow(10**12):012d}",
            }
            self.store.put("qr", document["reference_no"], document)
            self.tell(document)
        return document

    def pay_static(self, qr: str, amount: int) -> Document:
        """A sticker is paid: money without a reference. The bank tells nobody; it stands in the settlement only."""
        if qris.validate(qr):
            raise BankRefused(400, 1, "Invalid QR")
        now = clock.now()
        reference = f"S{now:%Y%m%d}{self.store.next('qr'):06d}{secrets.randbelow(1000):03d}"
        extra = dict(qris.inside(dict(qris.parse(qr)).get("62", "")) or [])
        document: Document = {
            "reference_no": reference,
            "partner_reference": "",
            "amount": amount,
            "terminal": extra.get("07", ""),
            "qr": qr,
            "created_at": now.isoformat(),
            "expires_at": now.isoformat(),
            "status": "00",
            "paid_amount": amount,
            "paid_at": now.isoformat(),
            "rrn": f"{secrets.randbelow(10**12):012d}",
            "refunds": [],
        }
        self.store.put("qr", reference, document)
        return document

    def tell(self, document: Document, *, again: str | None = None) -> None:
        """Queue a notification. `again`: the message id of an earlier one, to repeat it under the same id."""
        said = document["paid_amount"]
        if again is None and self.dice.strikes("lie_amount"):
            said += LIE
        body = {
            "originalReferenceNo": document["reference_no"],
            "originalPartnerReferenceNo": document["partner_reference"],
            "latestTransactionStatus": document["status"],
            "transactionStatusDesc": "Success" if document["status"] == "00" else "Refunded",
            "paidTime": stamp(document["paid_at"]),
            "amount": {"value": f"{said}.00", "currency": "IDR"},
            "merchantId": self.merchant_id,
            "terminalId": document["terminal"],
            "additionalInfo": {"rrn": document["rrn"], "issuerName": "Bank Contoh"},
        }
        message_id = again or f"{clock.now():%Y%m%d%H%M%S}{self.store.next('message'):010d}"
        text = json.dumps(body, separators=(",", ":"))
        self.courier.post(document["reference_no"], message_id, text, faultless=again is not None)

    def repeat(self, reference: str, *, same_id: bool = True) -> None:
        """ "Kirim ulang": the last notification again, under its own id or as a new message."""
        document = self.find(reference)
        if document["paid_at"] is None:
            raise BankRefused(404, 1, "Transaction Not Found")
        sent = self.courier.deliveries(document["reference_no"])
        if same_id and sent:
            self.courier.post(document["reference_no"], sent[0]["message_id"], sent[0]["body"], faultless=True)
        else:
            self.tell(document)

    def expire(self, reference: str) -> None:
        """Let its time run out now."""
        with self.store.change():
            document = self.find(reference)
            self.store.put("qr", document["reference_no"], {**document, "expires_at": clock.now().isoformat()})

    def cancel(self, reference: str) -> Document:
        """Raises BankRefused when it is already paid (404 case 00); cancelled twice is cancelled once."""
        with self.store.change():
            document = self.find(reference)
            if document["status"] not in ("01", "05"):
                raise BankRefused(404, 0, "Invalid Transaction Status")
            document |= {"status": "05", "cancelled_at": clock.now().isoformat()}
            self.store.put("qr", document["reference_no"], document)
        return document

    def refund(self, reference: str, partner_refund: str, amount: int) -> Document:
        """One refund of a paid QR; the same partner number again is the same refund. Never more than was paid."""
        with self.store.change():
            document = self.find(reference)
            for earlier in document["refunds"]:
                if earlier["partner_refund"] == partner_refund:
                    if earlier["amount"] != amount:
                        raise BankRefused(404, 18, "Inconsistent Request")
                    if self.dice.faults.refuse_repeats:
                        raise BankRefused(409, 1, "Duplicate partnerRefundNo")
                    return {**document, "refund": earlier}
            if document["status"] not in ("00", "04"):
                raise BankRefused(404, 0, "Invalid Transaction Status")
            back = sum(each["amount"] for each in document["refunds"])
            if not 0 < amount <= document["paid_amount"] - back:
                raise BankRefused(404, 13, "Invalid Amount")
            made = {
                "refund_no": f"R{clock.now():%Y%m%d}{self.store.next('refund'):06d}",
                "partner_refund": partner_refund,
                "amount": amount,
                "at": clock.now().isoformat(),
            }
            document["refunds"].append(made)
            if back + amount == document["paid_amount"]:
                document["status"] = "04"
            self.store.put("qr", document["reference_no"], document)
        return {**document, "refund": made}

    def settlement(self, day: date) -> dict[str, Any]:
        """What the bank credits the working day after: everything paid on `day`, its fee, and refunds made that day."""
        paid = [t for t in reversed(self.transactions()) if t["paid_at"] and civil_day(t["paid_at"]) == day]
        lines = [
            {
                "reference_no": t["reference_no"],
                "partner_reference": t["partner_reference"],
                "terminal": t["terminal"],
                "paid_at": t["paid_at"],
                "gross": t["paid_amount"],
                "fee": fee_of(t["paid_amount"]),
            }
            for t in paid
        ]
        refunds = sum(r["amount"] for t in self.transactions() for r in t["refunds"] if civil_day(r["at"]) == day)
        gross, fee = sum(line["gross"] for line in lines), sum(line["fee"] for line in lines)
        return {
            "day": day.isoformat(),
            "settled_on": (day + timedelta(days=1)).isoformat(),
            "count": len(lines),
            "gross": gross,
            "fee": fee,
            "refunds": refunds,
            "net": gross - fee - refunds,
            "transactions": lines,
        }


def payload(merchant_id: str, amount: int, reference: str, terminal: str) -> str:
    """A real dynamic QRIS payload of the example merchant."""
    extra = [("05", reference)] + ([("07", terminal)] if terminal else [])
    return qris.dumps(
        [
            ("00", "01"),
            ("01", "12"),
            ("26", _account("ID.CO.BPDBALI.WWW", merchant_id)),
            ("51", qris.join([("00", "ID.CO.QRIS.WWW"), ("02", NMID), ("03", "UME")])),
            ("52", "9399"),
            ("53", "360"),
            ("54", str(amount)),
            ("58", "ID"),
            ("59", MERCHANT),
            ("60", CITY),
            ("61", "80232"),
            ("62", qris.join(extra)),
        ]
    )


def _account(guid: str, merchant_id: str) -> str:
    return qris.join([("00", guid), ("01", f"{NNS}0000000017"), ("02", merchant_id), ("03", "UME")])


def fee_of(amount: int) -> int:
    """MDR, half up, in whole rupiah."""
    return (amount * MDR_E4 + 5_000) // 10_000


def civil_day(moment: str) -> date:
    return clock.local(datetime.fromisoformat(moment)).date()


def stamp(moment: str) -> str:
    """An instant as SNAP writes it, in Jakarta time."""
    jakarta = datetime.fromisoformat(moment).replace(microsecond=0, tzinfo=None) + WIB
    return f"{jakarta.isoformat()}+07:00"
