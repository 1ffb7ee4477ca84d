"""A market month with faulty providers and programs killed at random points: no rupiah may be lost, doubled or guessed.

Product and bank are programs of their own that speak HTTP; vendors pay by QRIS, by card and in cash from several threads,
while product, jobs and accrual are killed (SIGKILL) again and again. At the end the faults cease, what is late arrives, and
what the providers took is held against receipts, credit and review, one payment at a time. The seed decides who pays what
and how; which statement a kill hits is the machine's.
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import Engine, text
from sqlmodel import col, select

from market import clock, migrate
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM
from market.auth.models import Role, UserAccount
from market.database import make_engine, session_scope
from market.payments import standing
from market.payments.rails import qris
from market.sandbox.credentials import prepare
from market.vendors.codes import issue_codes
from market.vendors.models import CodeKind
from tests.payments import city

FAULTS = {
    "duplicate": 0.2, "reorder": 0.1, "delay": 0.1, "delay_seconds": 1.0, "drop": 0.08, "fail_after_commit": 0.03,
    "lie_amount": 0.02, "lie_qr": 0.02, "forge": 0.03,
}  # fmt: skip
PAYERS = 3
SIGNED_IN = 20  # vendors with an account, who top their balance up


@dataclass
class Month:
    """What happened, and what was compared at the end."""

    kills: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    cash: dict[str, int] = field(default_factory=dict)  # our key → rupiah, of every press that was answered
    cards: dict[str, int] = field(default_factory=dict)  # Stripe's session → rupiah that the card holder paid
    refunds: int = 0  # rupiah that the providers sent back
    taken: int = 0
    figures: dict[str, int] = field(default_factory=dict)


class Programs:
    """The zygote and its children."""

    def __init__(self, folder: Path, engine: Engine, dice: random.Random) -> None:
        self.folder, self.dice = folder, dice
        ports = [free_port() for _ in range(2)]
        self.product, self.bank = (f"http://127.0.0.1:{port}" for port in ports)
        environment = {
            **os.environ, **prepare(folder / "bank").environment(self.bank),
            "MARKET_DATABASE_URL": engine.url.render_as_string(hide_password=False), "MARKET_BASE_URL": self.product,
            "MARKET_RECEIPT_KEY_FILE": str(folder / "receipt.pem"), "MARKET_PERSONAL_KEYS_FILE": str(folder / "personal.json"),
            "SOAK_FOLDER": str(folder), "SOAK_PRODUCT_PORT": str(ports[0]), "SOAK_BANK_PORT": str(ports[1]),
        }  # fmt: skip
        self.zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        self.lock, self.pids, self.now = threading.Lock(), dict[str, int](), city.NOON

    def start(self, name: str, *argv: str) -> int:
        with self.lock:
            assert self.zygote.stdin and self.zygote.stdout
            self.zygote.stdin.write(json.dumps({"run": name, "now": self.now.isoformat(), "argv": argv}) + "\n")
            self.zygote.stdin.flush()
            self.pids[name] = int(self.zygote.stdout.readline())
            return self.pids[name]

    def kill(self, name: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pids[name], signal.SIGKILL)
        until = time.monotonic() + 10
        while alive(self.pids[name]) and time.monotonic() < until:
            time.sleep(0.002)

    def verb(self, *argv: str, deadly: float = 0.0) -> bool:
        """Run a verb of the command line; it may be killed on the way. True where it came to its end."""
        (self.folder / "verb").unlink(missing_ok=True)
        self.start("verb", *argv)
        if deadly and self.dice.random() < deadly:
            time.sleep(self.dice.random() * 0.4)
            self.kill("verb")
            return False
        while alive(self.pids["verb"]):
            time.sleep(0.01)
        assert (self.folder / "verb").read_text() == "0", argv
        return True

    def stop(self) -> None:
        for name in self.pids:
            self.kill(name)
        assert self.zygote.stdin
        self.zygote.stdin.close()
        self.zygote.wait(10)


def run(
    folder: Path, seed: int, *, vendors: int = 2000, days: int = 30, kills: int = 200, seconds: float = 600
) -> Month:
    """Raises AssertionError with the first rupiah that does not tie."""
    dice = random.Random(seed)
    engine = make_engine(f"sqlite:///{folder / 'month.db'}")
    migrate.upgrade(engine)
    with clock.freeze(city.NOON), session_scope(engine) as session:
        town = city.build(session, days=2, vendors=vendors)
        cards = issue_codes(session, [(CodeKind.vendor, "KRN", vendor) for vendor in town.vendors])
        auth.add_user(session, "loket", name="Petugas loket", password=None, by=SYSTEM)
        auth.grant(session, "loket", Role.clerk, by=SYSTEM, market_id="KRN", valid_from=city.TODAY)
        tokens = [auth.add_token(session, "loket", name="soak", by=SYSTEM)]
        auth.add_user(session, "bendahara", name="Bendahara", password=None, by=SYSTEM)
        auth.grant(session, "bendahara", Role.treasurer, by=SYSTEM, market_id="KRN", valid_from=city.TODAY)
        tokens.append(auth.add_token(session, "bendahara", name="soak", by=SYSTEM))
        for n in range(min(SIGNED_IN, vendors)):
            auth.add_user(session, f"dagang{n}", name="Dagang", password=None, by=SYSTEM, vendor_id=town.vendors[n])
    month, programs = Month(), Programs(folder, engine, dice)
    street = Street(programs, month, town.vendors, cards, tokens)
    try:
        for n in range(days):
            programs.now = city.NOON + timedelta(days=n)
            street.sign_in(engine)
            for name in ("product", "bank"):
                programs.start(name)
            street.faults({**FAULTS, "seed": seed * 1000 + n})
            until = city.TODAY + timedelta(days=n)
            while not programs.verb("charges", "accrue", "--until", until.isoformat(), deadly=0.3):
                month.kills += 1
            street.day(
                random.Random(f"{seed}:{n}"), seconds / days, kills // days + 1, random.Random(f"{seed}:kill:{n}")
            )
            while not programs.verb("jobs", "run", "--once", deadly=0.3):
                month.kills += 1
            for name in ("product", "bank"):
                programs.kill(name)
        settle_down(programs, street, days)
        compare(engine, street, month)
    finally:
        programs.stop()
        engine.dispose()
    return month


class Street:
    """The vendors: what each does is drawn beforehand, so that a seed means the same acts."""

    def __init__(
        self, programs: Programs, month: Month, vendors: tuple[int, ...], cards: list[str], tokens: list[str]
    ) -> None:
        self.programs, self.month, self.vendors, self.cards, self.tokens = programs, month, vendors, cards, tokens
        self.cookies: list[str] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.unanswered: list[tuple[int, int, str]] = []

    def sign_in(self, engine: Engine) -> None:
        """The vendors with an account, for this day; all of them let the balance pay by itself."""
        with clock.freeze(self.programs.now), session_scope(engine) as session:
            users = session.exec(select(UserAccount).where(col(UserAccount.vendor_id).is_not(None))).all()
            self.cookies = [auth.open_session(session, user) for user in users]
            for user in users[::2]:
                assert user.vendor_id
                standing.give(session, "KRN", user.vendor_id, by=city.CLERK)

    def faults(self, faults: dict[str, Any]) -> None:
        for provider in ("acquirer", "stripe"):
            self.patiently("POST", f"{self.programs.bank}/{provider}/control/faults", json=faults).raise_for_status()

    def patiently(self, method: str, url: str, **how: Any) -> httpx.Response:
        """Ask until there is an answer below 500."""
        for _ in range(200):
            try:
                answer = httpx.request(method, url, timeout=30, **how)
                if answer.status_code < 500:
                    return answer
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"no answer: {url}")

    def day(self, dice: random.Random, seconds: float, kills: int, deaths: random.Random) -> None:
        """`seconds` of paying in several threads, with `kills` deaths of the product spread over them."""
        self.stopping.clear()
        broken: list[BaseException] = []

        def pay(mine: random.Random) -> None:
            while not self.stopping.is_set():
                try:
                    self.act(mine)
                except httpx.HTTPError:
                    self.count("connection cut")
                except BaseException as error:  # noqa: BLE001 - a thread must not die silently
                    broken.append(error)
                    return

        threads = [threading.Thread(target=pay, args=(random.Random(dice.random()),)) for _ in range(PAYERS)]
        for thread in threads:
            thread.start()
        moments = sorted(deaths.uniform(0, seconds) for _ in range(kills))
        began = time.monotonic()
        for moment in moments:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            self.programs.kill("product")
            self.programs.start("product")
            self.month.kills += 1
            time.sleep(deaths.uniform(0.05, 0.3))
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        self.stopping.set()
        for thread in threads:
            thread.join()
        if broken:
            raise broken[0]

    def count(self, what: str) -> None:
        with self.lock:
            self.month.acts[what] += 1

    def act(self, dice: random.Random) -> None:
        who = dice.randrange(len(self.vendors))
        kind = dice.choices(["qris", "cash", "card", "top-up", "refund"], weights=[54, 22, 13, 7, 4])[0]
        if kind == "cash":
            key = f"{dice.getrandbits(64):016x}"
            amount = dice.choice([city.FEE, 2 * city.FEE, 20_000])
            self.press(who, amount, key)
            if dice.random() < 0.2:
                self.press(who, amount, key)
        elif kind == "qris":
            self.scan(who, dice)
        elif kind == "top-up":
            self.top_up(dice)
        elif kind == "refund":
            self.refund(dice)
        else:
            self.card(who, dice)

    def press(self, who: int, amount: int, key: str) -> None:
        """The clerk's device sends, and sends again until it is answered."""
        body = {"market": "KRN", "vendor_id": self.vendors[who], "amount": amount}
        headers = {"authorization": f"Bearer {self.tokens[0]}", "idempotency-key": key}
        try:
            answer = self.patiently("POST", f"{self.programs.product}/api/v1/payments", json=body, headers=headers)
        except AssertionError:
            with self.lock:
                self.unanswered.append((who, amount, key))
            return
        if answer.status_code == 409:  # the one before it is still on its way
            time.sleep(0.2)
            self.press(who, amount, key)
            return
        assert answer.status_code == 201, answer.text
        with self.lock:
            self.month.cash[key] = amount
        self.count("cash")

    def scan(self, who: int, dice: random.Random) -> None:
        """Ask for a QR and pay it."""
        page = f"{self.programs.product}/pay/{self.cards[who]}"
        what = dice.choice(["all", "all", "oldest"])
        with httpx.Client(timeout=30, headers={"sec-fetch-site": "same-origin"}) as phone:
            if phone.post(page, data={"what": what}).status_code != 303:
                self.count("qris refused")
                return
            self.pay_qr(phone.get(page).text, dice)

    def top_up(self, dice: random.Random) -> None:
        """A vendor's own page: money into the balance, by QRIS or by card."""
        page, amount = f"{self.programs.product}/vendor/titipan/KRN/top-up", dice.choice(["10.000", "25.000", "12.345"])
        act, who = dice.choice(["qris", "qris", "card"]), dice.choice(self.cookies)
        headers = {"sec-fetch-site": "same-origin", "cookie": f"{COOKIE}={who}"}
        with httpx.Client(timeout=30, headers=headers, base_url=self.programs.product) as phone:
            sent = phone.post(page, data={"act": act, "amount": amount})
            if sent.status_code != 303:
                self.count("top-up refused")
            elif act == "card":
                self.pay_card(sent.headers["location"])
            else:
                self.pay_qr(phone.get(sent.headers["location"]).text, dice)

    def refund(self, dice: random.Random) -> None:
        """One of the last receipts goes back, whole or in part, by its rail or as credit; another person says yes."""
        front, who = f"{self.programs.product}/api/v1", [{"authorization": f"Bearer {each}"} for each in self.tokens]
        shown = httpx.get(f"{front}/receipts?market=KRN&limit=50", headers=who[0], timeout=30).json()["items"]
        if not shown:
            return
        one, whole = dice.choice(shown), dice.random() < 0.5
        body = {
            "receipt": one["number"], "amount": one["amount"] if whole else max(one["amount"] // 3, 1),
            "way": "CREDIT" if one["method"] in ("TUNAI", "TITIPAN") else dice.choice(["ORIGINAL", "ORIGINAL", "CREDIT"]),
            "reason": "salah bayar",
        }  # fmt: skip
        asked = httpx.post(f"{front}/refunds", json=body, headers=who[0], timeout=30)
        if asked.status_code != 201:
            self.count("refund refused")
            return
        path = f"{front}/refunds/KRN/{asked.json()['id']}/decision"
        answer = httpx.post(path, json={"approve": dice.random() < 0.9}, headers=who[1], timeout=30)
        self.count("refund decided" if answer.status_code == 200 else "refund not decided")

    def pay_qr(self, html: str, dice: random.Random) -> None:
        """What a phone reads off a page, paid at the bank: as asked, more, or less."""
        found = re.search(r'href="([^"]*/acquirer/pay\?[^"]*)"', html)
        if not found:
            self.count("qris none shown")
            return
        code = parse_qs(urlsplit(found[1].replace("&amp;", "&")).query)["qr"][0]
        asked = qris.amount(code)
        extra = dict(qris.inside(dict(qris.parse(code))["62"]) or [])
        assert asked
        amount = dice.choices([asked, asked + 7, max(asked - 3, 1)], weights=[90, 5, 5])[0]
        address = f"{self.programs.bank}/acquirer/control"
        answer = self.patiently("POST", f"{address}/pay/{extra['05']}", json={"amount": amount})
        self.count("qris paid" if answer.status_code == 200 else "qris refused by bank")
        if dice.random() < 0.15:
            self.patiently(
                "POST", f"{address}/repeat/{extra['05']}?same_id={'true' if dice.random() < 0.5 else 'false'}"
            )

    def card(self, who: int, dice: random.Random) -> None:
        page = f"{self.programs.product}/pay/{self.cards[who]}/card"
        answer = httpx.post(page, data={"what": "all"}, headers={"sec-fetch-site": "same-origin"}, timeout=30)
        self.pay_card(answer.headers.get("location", ""))

    def pay_card(self, address: str) -> None:
        found = re.search(r"(cs_[A-Za-z0-9_]+)", address)
        if not found:
            self.count("card refused")
            return
        paid = self.patiently("POST", f"{self.programs.bank}/stripe/control/pay/{found[1]}")
        if paid.status_code == 200:
            with self.lock:
                self.month.cards[found[1]] = paid.json()["amount_total"] // 100
        self.count("card paid" if paid.status_code == 200 else "card refused by Stripe")

    def card_refunds(self) -> dict[str, int]:
        """What Stripe holds, by our key."""
        key = {"authorization": f"Bearer {prepare(self.programs.folder / 'bank').stripe_api_key}"}
        found, after = dict[str, int](), ""
        while True:
            url = f"{self.programs.bank}/stripe/v1/refunds?limit=100" + (f"&starting_after={after}" if after else "")
            page = self.patiently("GET", url, headers=key).json()
            found |= {each["metadata"]["refund"]: each["amount"] // 100 for each in page["data"]}
            if not page["has_more"]:
                return found
            after = page["data"][-1]["id"]


def settle_down(programs: Programs, street: Street, days: int) -> None:
    """The providers mend themselves, what waits is delivered, and jobs ask about what nobody told."""
    programs.now = city.NOON + timedelta(days=days - 1)
    for name in ("product", "bank"):
        programs.start(name)
    street.faults({})
    for who, amount, key in street.unanswered:
        street.press(who, amount, key)
    until = time.monotonic() + 240
    for provider in ("acquirer", "stripe"):
        address = f"{programs.bank}/{provider}/control/deliveries"
        while any(d["state"] == "waiting" for d in street.patiently("GET", address).json()):
            assert time.monotonic() < until, "deliveries that never end"
            time.sleep(0.2)
    for hours in (1, 3, 6, 12):  # the jobs' clock goes on, the bank's with it
        for name in ("product", "bank"):
            programs.kill(name)
        programs.now = city.NOON + timedelta(days=days - 1, hours=hours)
        for name in ("product", "bank"):
            programs.start(name)
        programs.verb("jobs", "run", "--once")


def compare(engine: Engine, street: Street, month: Month) -> None:
    """Each payment that a provider took against the books, one by one; then the books against themselves."""
    with engine.connect() as connection:
        ask = lambda query: connection.execute(text(query)).all()  # noqa: E731 - three plain reads
        paid = {(p, r): a for p, r, a in ask("SELECT provider, provider_reference, amount FROM payment")}
        of_cards = ask(
            "SELECT i.body, i.outcome, p.amount FROM inbox i LEFT JOIN payment p ON p.market_id = i.market_id "
            "AND p.id = i.payment_id WHERE i.provider = 'stripe' AND i.outcome IN ('applied', 'credited', 'held')"
        )
        held = ask(
            "SELECT r.provider, r.reference, i.body, r.amount FROM review_item r JOIN inbox i ON i.id = r.inbox_id "
            "WHERE r.amount > 0"
        )
        done = "SELECT idempotency_key, amount FROM refund WHERE way = 'ORIGINAL' AND state = 'done'"
        sent = {row.idempotency_key: row.amount for row in ask(done)}
        unsure = ask("SELECT count(*) FROM refund WHERE state IN ('sending', 'unclear')")[0][0]
        credited = ask("SELECT coalesce(sum(credited), 0) FROM payment")[0][0]
    waiting = {
        json.loads(body).get("originalReferenceNo") or reference for p, reference, body, _ in held if p == "qris"
    }
    assert unsure == 0, "a refund that nobody finished"
    back: dict[str, int] = {}
    lost: list[Any] = []
    for one in street.patiently("GET", f"{street.programs.bank}/acquirer/control/transactions").json():
        if one["paid_at"] is None:
            continue
        month.taken += one["paid_amount"]
        told = paid.get(("qris", one["reference_no"]))
        if told != one["paid_amount"] and not {one["reference_no"], one["partner_reference"]} & waiting:
            lost.append(("QRIS", one, told))
        back |= {made["partner_refund"].replace("-", ":"): made["amount"] for made in one["refunds"]}
    back |= street.card_refunds()
    month.refunds = sum(back.values())
    assert back == sent, "what the providers sent back and what we booked as sent"
    at_cards = {}
    for body, outcome, amount in of_cards:
        for session in set(re.findall(r"cs_[A-Za-z0-9_]+", body)):
            at_cards[session] = (outcome, amount)
    for session, amount in month.cards.items():
        month.taken += amount
        outcome, told = at_cards.get(session, ("nowhere", None))
        if outcome == "nowhere" or (outcome != "held" and told != amount):
            lost.append(("card", session, amount, outcome, told))
    assert lost == [], lost[:3]
    cash = {reference: amount for (provider, reference), amount in paid.items() if provider == "cash"}
    # The key in the books is the caller's with their account before it: compared as amounts and counts.
    assert (len(cash), sum(cash.values())) == (len(month.cash), sum(month.cash.values())), (
        "cash answered and cash in the books"
    )
    month.figures = {
        "payments": len(paid),
        "on receipts, Rp": sum(paid.values()),
        "of it in credit, Rp": int(credited),
        "sent back, Rp": month.refunds,
        "held for review, Rp": sum(int(amount) for *_, amount in held),
        "killed": month.kills,
    }
    city.assert_clean(engine)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
