"""`market demo`: the sample city, made or brought up to date."""

import time

from market import clock, installation
from market.console import Commands, Namespace, Out
from market.demo.people import ELSEWHERE, NIGHT, TREASURERS
from market.demo.service import run as bring_up
from market.demo.settling import VENDOR_USER
from market.tour import PASSWORD, PAY_CODE, PEOPLE
from market.web.i18n import gettext
from market.words import N_


def add(commands: Commands) -> None:
    verb = commands.verb("demo", run, "Load the sample city, or bring it up to this moment; never in production")
    verb.add_argument("--seed", type=int, default=1788, help="another city (only when the database is empty)")
    verb.add_argument("--people", action="store_true", help="list the sample accounts")


def run(args: Namespace, out: Out) -> None:
    started = time.monotonic()
    done = bring_up(out.session, seed=args.seed, say=lambda stage: out.say(f"  {stage} …"))
    seconds = round(time.monotonic() - started, 1)
    if not out.as_json:
        until = clock.local(done.until).strftime("%d-%m-%Y %H.%M")
        out.say(
            gettext(STATES[done.state]).format(
                until=until, charges=done.charges, payments=done.payments, seconds=seconds
            )
        )
        if args.people:
            _list_people(out)
        return
    with out.session(write=False) as session:
        code = installation.get(session, PAY_CODE)
    out.result(
        {"state": done.state, "until": done.until.isoformat(), "charges": done.charges, "payments": done.payments,
         "seconds": seconds, "pay_code": code}
    )  # fmt: skip


def _list_people(out: Out) -> None:
    for person in (*PEOPLE, NIGHT, *ELSEWHERE, *TREASURERS):
        out.say(f"  {person.username:<16} {person.role:<12} {person.market_id or ''}")
    out.say(f"  {VENDOR_USER:<16} vendor")
    out.say(gettext(PASSWORD_SAID).format(password=PASSWORD))


STATES = {
    "loaded": N_("Kota contoh siap sampai {until}: {charges} tagihan, {payments} pembayaran, {seconds} detik."),
    "caught_up": N_(
        "Kota contoh dilanjutkan sampai {until}: {charges} tagihan, {payments} pembayaran, {seconds} detik."
    ),
    "current": N_("Kota contoh sudah sampai {until}."),
    "foreign": N_("Basis data ini berisi data lain; kota contoh tidak dimuat, dan tidak ada yang diubah."),
}
PASSWORD_SAID = N_("Kata sandi semua akun contoh: {password}")
