"""`market sandbox serve` and `market sandbox settings`."""

import socket
from pathlib import Path

from market.console import Commands, Namespace, Out
from market.errors import Conflict, Forbidden
from market.sandbox.credentials import FOLDER, prepare
from market.settings import get_settings
from market.words import N_

PORT = 8001


class PortTaken(Conflict):
    message = N_("Porta {port} sudah dipakai program lain. Pilih yang lain dengan --port.")


class NotInProduction(Forbidden):
    message = N_("Bank contoh tidak boleh berjalan di lingkungan produksi.")


def add(commands: Commands) -> None:
    group = commands.group("sandbox", "Stand-ins for the acquirer and Stripe, for development and tests")
    serve = group.verb("serve", run_server, "Serve the example bank and the Stripe stand-in on loopback")
    serve.add_argument("--port", type=int, default=PORT)
    serve.add_argument(
        "--product", default=None, help="address of the application to notify (default: MARKET_BASE_URL)"
    )
    serve.add_argument("--folder", type=Path, default=FOLDER, help="where keys and state are kept")
    settings = group.verb("settings", print_settings, "Print the MARKET_ settings that point the application here")
    settings.add_argument("--port", type=int, default=PORT)
    settings.add_argument("--folder", type=Path, default=FOLDER)


def run_server(args: Namespace, out: Out) -> None:
    """Serve until stopped; a taken port is a sentence."""
    settings = get_settings()
    if settings.production:
        raise NotInProduction()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", args.port))
        except OSError:
            raise PortTaken(port=args.port) from None
    # Imported here: the rest of the command line needs neither a server nor the bank.
    import uvicorn

    from market.sandbox.server import create_app

    app = create_app(args.product or settings.base_url, args.folder)
    out.say(f"Bank contoh: http://127.0.0.1:{args.port}/acquirer · Stripe: http://127.0.0.1:{args.port}/stripe")
    uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="warning", access_log=False, server_header=False)


def print_settings(args: Namespace, out: Out) -> None:
    """One `NAME=value` a line (or one JSON object): load them before starting the application."""
    values = prepare(args.folder.resolve()).environment(f"http://127.0.0.1:{args.port}")
    if out.as_json:
        out.result(values)
        return
    for name, value in values.items():
        out.say(f"{name}={value}")
