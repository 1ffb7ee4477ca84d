"""Programs that may be killed at any moment and are back in a tenth of a second: forked from a process that has all imported.

    python -m tests.zygote        reads one JSON object a line: {"run": "product"|"bank"|"verb", "now": …, "argv": […]}
                                  answers each with the child's process id

The listening sockets belong to this parent: while a program is dead its callers wait, or find their connection cut.
"""

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

import uvicorn

from market import cli
from market.app import create_app
from market.sandbox.server import create_app as create_bank
from market.settings import get_settings

PAUSES = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)


def serve(app: object, listener: socket.socket) -> None:
    config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=2)  # type: ignore[arg-type]
    uvicorn.Server(config).run(sockets=[listener])


def main() -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    folder = Path(os.environ["SOAK_FOLDER"])
    doors = {name: listening(int(os.environ[f"SOAK_{name.upper()}_PORT"])) for name in ("product", "bank")}
    product = create_app()  # its engine connects in the child
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            run(asked, product, doors, folder)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    return 0


def run(asked: dict, product: object, doors: dict[str, socket.socket], folder: Path) -> None:
    """In the child; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 1
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # the parent's answers stay alone on its standard output
    try:
        os.environ["MARKET_NOW"] = asked["now"]
        get_settings.cache_clear()
        if asked["run"] == "product":
            serve(product, doors["product"])
        elif asked["run"] == "bank":
            at = f"http://127.0.0.1:{doors['product'].getsockname()[1]}"
            serve(create_bank(at, folder / "bank", PAUSES), doors["bank"])
        else:
            code = cli.main(asked["argv"])
            (folder / "verb").write_text(str(code))
        code = 0
    except BaseException:  # noqa: BLE001 - a child's death is told and never reaches the parent's loop
        traceback.print_exc()
    finally:
        os._exit(code)


def listening(port: int) -> socket.socket:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    door.listen(256)
    return door


if __name__ == "__main__":
    sys.exit(main())
