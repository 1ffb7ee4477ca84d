"""`market keys rotate`: new keys without losing what the old ones did. Prints ids, never a secret."""

from argparse import Namespace

from market import audit
from market.auth.access import SYSTEM
from market.console import Commands, Out
from market.payments import receipt_keys
from market.vendors import rekeying


def add(commands: Commands) -> None:
    verb = commands.group("keys", "The keys of receipts and of personal values").verb(
        "rotate", run_rotate, "Sign receipts, or wrap personal values, with a new key; the earlier ones keep their use"
    )
    verb.add_argument("which", nargs="?", choices=("all", "receipt", "personal"), default="all")
    verb.add_argument(
        "--forget", action="store_true", help="take personal keys that no row needs any more out of the file"
    )


def run_rotate(args: Namespace, out: Out) -> None:
    result: dict[str, object] = {}
    if args.which in ("all", "receipt"):
        old, new = receipt_keys.rotate()
        result |= {"receipt_key": new, "receipt_keys_still_valid": list(receipt_keys.ring().public)[1:]}
        with out.session() as session:
            audit.record(session, SYSTEM, "key.rotate", "receipt_key", new, before={"key": old}, after={"key": new})
    if args.which in ("all", "personal"):
        with out.session() as session:
            unfinished = rekeying.waiting(session)
            # A rotation that was cut off is finished, not followed by another one.
            if not unfinished:
                rekeying.add_key()
            done = rekeying.catch_up(session)
            after = {"key": done.current, "rows": done.rows, "left": len(done.left)}
            audit.record(session, SYSTEM, "key.rotate", "personal_key", done.current, after=after)
        result |= {
            "personal_key": done.current,
            "rows": done.rows,
            "finished_earlier": bool(unfinished),
            "left": done.left,
        }
        if args.forget:
            with out.session() as session:
                result["forgotten"] = rekeying.forget_old(session)
    out.result(result)
