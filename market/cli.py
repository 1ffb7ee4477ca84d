"""The `market` command: one verb per job. Each feature's verbs stand in its commands.py; this is the table of contents."""

import atexit
import os
import shutil
import tempfile
from argparse import ArgumentParser, Namespace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import Engine

from market import audit, backup, logs, migrate
from market.auth import commands as auth_commands
from market.console import Commands, Out, execute
from market.settings import get_settings

FEATURES = ("vendors", "dues", "ledger", "payments", "pricing", "collection", "desk", "demo", "sandbox")


def main(argv: list[str] | None = None, engine: Engine | None = None) -> int:
    """Run one verb; returns the exit code."""
    parser = ArgumentParser(prog="market", description="Smart Ekonomi: the market office's command line")
    commands = Commands(parser)
    add(commands)
    auth_commands.add(commands)
    for feature in FEATURES:
        name = f"market.{feature}.commands"
        if find_spec(f"market.{feature}") and find_spec(name):
            import_module(name).add(commands)
    return execute(parser, argv, engine)


def add(commands: Commands) -> None:
    """The verbs of the house itself."""
    serve = commands.verb("serve", run_server, "Serve pages and API")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--workers", type=int, default=1)
    migrated = commands.group("db", "The database").verb(
        "upgrade", upgrade, "Migrate to the newest schema, re-create triggers"
    )
    migrated.add_argument(
        "--patience", type=int, default=migrate.PATIENCE, help="seconds to wait for a lock (PostgreSQL)"
    )
    migrated.add_argument(
        "--partitioned",
        action="store_true",
        help="an empty PostgreSQL only: growing tables in parts by month and market",
    )
    jobs = commands.group("jobs", "Background work").verb("run", run_jobs, "Work off jobs until stopped")
    jobs.add_argument("--once", action="store_true", help="work off what is due now, then stop")
    saved = commands.verb("backup", run_backup, "Copy the running database to a file, with its row counts beside it")
    saved.add_argument("file")
    brought = commands.verb("restore", run_restore, "Bring a backup into the empty database of MARKET_DATABASE_URL")
    brought.add_argument("file")
    commands.group("audit", "The audit log").verb("verify", verify_audit, "Recompute every chain")


def run_server(args: Namespace, out: Out) -> None:
    # Imported here: a server is not needed to import a spreadsheet.
    import gc

    gc.disable()  # what a server loads, it keeps: the collector would walk all of it again and again
    import uvicorn

    if args.workers == 1:
        import_module("market.app")
    gc.freeze()
    gc.enable()
    if args.workers > 1:  # any of them can then tell what all have counted (/metrics)
        folder = tempfile.mkdtemp(prefix="market-metrics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    uvicorn.run(
        "market.app:create",
        factory=True,
        host=args.host,
        port=args.port,
        workers=args.workers,
        log_level="warning",
        log_config=None,  # market.logs
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def upgrade(args: Namespace, out: Out) -> None:
    migrate.upgrade(out.engine, patience=args.patience, partitioned=args.partitioned)
    out.result({"revision": migrate.head()})


def run_jobs(args: Namespace, out: Out) -> None:
    """What is begun is finished when the process is asked to end (SIGTERM, Ctrl-C); a second time ends it at once."""
    import signal

    from market.app import create_app
    from market.jobs import service as jobs

    def stop(number: int, frame: object) -> None:
        jobs.stopping.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    logs.configure(production=get_settings().production)
    create_app(engine=out.engine)  # registers every feature's handlers
    out.result({"jobs": jobs.run_due(out.engine) if args.once else jobs.run_until_stopped(out.engine)})


def run_backup(args: Namespace, out: Out) -> None:
    manifest = backup.backup(out.engine, Path(args.file))
    out.result(
        {
            "file": args.file,
            "revision": manifest.revision,
            "rows": sum(manifest.rows.values()),
            "sha256": manifest.sha256,
        }
    )


def run_restore(args: Namespace, out: Out) -> None:
    """The copy, its newest migration, and what the books say of themselves: all before anybody is let in."""
    manifest = backup.restore(out.engine, Path(args.file))
    migrate.upgrade(out.engine)
    with out.session() as session:
        verdict = audit.verify(session)
    out.result(
        {"file": args.file, "made_at": manifest.made_at, "rows": sum(manifest.rows.values()), "audit_ok": verdict.ok},
        ok=verdict.ok,
    )


def verify_audit(args: Namespace, out: Out) -> None:
    with out.session() as session:
        audit.seal(session)
        verdict = audit.verify(session)
    out.result({"ok": verdict.ok, "sealed": verdict.sealed, "broken": verdict.broken}, ok=verdict.ok)
