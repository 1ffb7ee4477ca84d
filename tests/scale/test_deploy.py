"""Files an office runs it with. No container engine runs here, so images are not built; what can be read, parsed or run is."""

import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from configparser import ConfigParser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine

from market.settings import Settings
from market.web.render import ROOT
from tests.scale.programs import address, end, free_port, start, wait_for
from tests.test_docs import verbs

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DEPLOY = ROOT / "docs" / "deploy"
OWN = [name for name, service in COMPOSE["services"].items() if service.get("image") == "smart-ekonomi:local"]


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", dockerfile)
    for line in joined.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def complaints(dockerfile: str) -> list[str]:
    """Our own short list of what hadolint would say."""
    found, steps = [], list(instructions(dockerfile))
    users = [rest for word, rest in steps if word == "USER"]
    if not users or users[-1].split(":")[0] in ("root", "0"):
        found.append("it runs as root")
    for word, rest in steps:
        if word == "FROM" and not re.search(r":[\w.-]*\d", rest.split(" ")[0]):
            found.append(f"no version: {rest}")
        if word == "ADD":
            found.append("ADD fetches and unpacks: COPY")
        if word in ("CMD", "ENTRYPOINT") and not rest.startswith("["):
            found.append(f"{word} through a shell loses its signals")
        if (
            word == "RUN"
            and "apt-get install" in rest
            and ("--no-install-recommends" not in rest or "rm -rf /var/lib/apt/lists" not in rest)
        ):
            found.append("apt-get leaves more than it must")
        if word == "RUN" and "pip install" in rest and ("--require-hashes" not in rest or "--no-cache-dir" not in rest):
            found.append("pip without hashes or with a cache")
        if word == "RUN" and re.search(r"\bsudo\b|curl[^|]*\|\s*(ba)?sh|chmod 777", rest):
            found.append(rest)
        if word == "ENV" and re.search(r"SECRET|PASSWORD|TOKEN", rest):
            found.append("a secret in the image")
    return found


def test_the_dockerfile_is_clean() -> None:
    assert complaints(DOCKERFILE) == []
    steps = list(instructions(DOCKERFILE))
    assert [word for word, _ in steps].count("FROM") == 2, "what builds is not what runs"
    assert any(word == "HEALTHCHECK" for word, _ in steps)
    after = steps[[word for word, _ in steps].index("FROM", 1) :]
    assert not any("pip install" in rest for word, rest in after if word == "RUN")
    assert "not built" in DOCKERFILE.lower()


@pytest.mark.parametrize(
    "bad",
    [
        "FROM debian\nUSER 5",
        "FROM a:1",
        "FROM a:1\nADD x y\nUSER 5",
        "FROM a:1\nUSER 5\nCMD serve",
        "FROM a:1\nRUN pip install x\nUSER 5",
    ],
)
def test_the_short_list_finds_what_it_is_for(bad: str) -> None:
    assert len(complaints(bad)) == 1


def test_the_pooler_image_is_clean() -> None:
    assert complaints(COMPOSE["services"]["pooler"]["build"]["dockerfile_inline"]) == []


def test_compose_has_every_program_and_hardens_it() -> None:
    services = COMPOSE["services"]
    assert {"database", "pooler", "migrate", "server-1", "server-2", "jobs", "proxy"} <= set(services)
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "healthcheck" in service or name.startswith("server"), "servers bring their image's"
        if name != "database":
            assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert not service.get("ports") or name == "proxy", f"{name} is reached from outside"
        if "build" not in service:
            assert re.search(r":[\w.-]*\d", service["image"]), name
        for other in service.get("depends_on", {}):
            assert other in services, f"{name} waits for {other}"
        for key in ("secrets", "configs"):
            named = [item["source"] if isinstance(item, dict) else item for item in service.get(key, [])]
            assert set(named) <= set(COMPOSE[key]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source == "./certificates" or (ROOT / source).exists(), volume
    for name in OWN:
        command = COMPOSE["services"][name]["command"]
        assert any(verb == " ".join(["market", *command[:n]]) for verb in verbs() for n in (1, 2)), command
        for setting in COMPOSE["services"][name]["environment"]:
            assert setting == "FORWARDED_ALLOW_IPS" or setting.removeprefix("MARKET_").lower() in Settings.model_fields
    through = {name: COMPOSE["services"][name]["environment"]["MARKET_DATABASE_URL"].split("@")[1] for name in OWN}
    assert through["server-1"] == "pooler:6432/market" and through["migrate"] == "database/market"
    assert COMPOSE["services"]["server-1"]["environment"]["MARKET_DATABASE_PREPARE"] == "false"
    assert "@database/" in COMPOSE["services"]["server-1"]["environment"]["MARKET_LISTEN_DATABASE_URL"]


def test_connections_fit() -> None:
    """Processes times pool ≤ the pooler's clients; the pooler's servers, listeners and a few more ≤ PostgreSQL's."""
    pooler = ConfigParser(comment_prefixes=(";",))
    pooler.read(DEPLOY / "pgbouncer.ini")
    told = pooler["pgbouncer"]
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    processes = 2 * 2 + 1
    assert processes * (settings.pool_size + settings.pool_overflow) <= int(told["max_client_conn"])
    database = next(a for a in COMPOSE["services"]["database"]["command"] if a.startswith("max_connections="))
    assert int(told["default_pool_size"]) + processes + 5 <= int(database.partition("=")[2])
    assert told["pool_mode"] == "transaction"


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").iterdir()), ids=lambda path: path.name)
def test_units(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text()
    if "[Service]" in text:
        assert "User=market" in text and "NoNewPrivileges=yes" in text and "ProtectSystem=strict" in text
        words = re.search(r"-m market ([a-z]+(?: [a-z]+)?)", text)
        assert words and any(verb.startswith(f"market {words[1].split()[0]}") for verb in verbs())
    if shutil.which("systemd-analyze"):
        for other in (DEPLOY / "systemd").iterdir():
            standing_in = re.sub(r"/opt/smart-ekonomi/\.venv/bin/python", "/bin/true", other.read_text())
            (tmp_path / other.name).write_text(standing_in)
        command = ["systemd-analyze", "verify", str(tmp_path / unit.name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and unit.name not in done.stderr, done.stderr


def test_the_proxy_names_what_compose_names() -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    assert set(re.findall(r"server ([\w-]+):8000", text)) == {"server-1", "server-2"}
    assert "access_log off" in text and "location = /metrics" in text
    assert text.count("{") == text.count("}")


def certificate(folder: Path) -> None:
    """Self-signed, for loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "privkey.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))


def trusting(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False  # the certificate names no address
    return context


@pytest.mark.fault
def test_the_proxy_runs_and_a_server_may_die(shared: Engine, tmp_path: Path) -> None:
    """The very nginx.conf, with loopback's ports and certificate put in; without nginx its text alone is checked, above."""
    if shutil.which("nginx") is None:
        sys.stdout.write("nginx is not installed: apt-get install nginx-light\n")
        return
    ports = [free_port() for _ in range(4)]
    certificate(tmp_path)
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in (
        ("/tmp/", f"{tmp_path}/"),  # noqa: S108 - the container's own
        ("server-1:8000", f"127.0.0.1:{ports[0]}"), ("server-2:8000", f"127.0.0.1:{ports[1]}"),
        ("listen 8080", f"listen 127.0.0.1:{ports[2]}"), ("listen 8443", f"listen 127.0.0.1:{ports[3]}"),
        ("/etc/nginx/certificates", str(tmp_path)),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "nginx.conf").write_text(text)
    servers = [start(tmp_path, "serve", "--port", str(port), database_url=address(shared)) for port in ports[:2]]
    command = ["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
    proxy = subprocess.Popen(command, cwd=tmp_path)
    client = httpx.Client(
        base_url=f"https://127.0.0.1:{ports[3]}", verify=trusting(tmp_path / "fullchain.pem"), timeout=20
    )
    try:
        for port, server in zip(ports, servers, strict=False):
            direct = httpx.Client(base_url=f"http://127.0.0.1:{port}")
            wait_for(lambda direct=direct: up(direct), server, tmp_path)
            direct.close()
        wait_for(lambda: up(client), proxy, tmp_path)
        assert client.get("/prices").status_code == 200
        assert client.get("/metrics").status_code == 404
        assert re.fullmatch("[0-9a-f]{32}", client.get("/healthz").headers["x-request-id"])
        plain = httpx.get(f"http://127.0.0.1:{ports[2]}/prices")
        assert (plain.status_code, plain.headers["location"]) == (308, "https://127.0.0.1/prices")
        servers[0].kill()
        servers[0].wait()
        began = time.monotonic()
        assert [client.get("/prices").status_code for _ in range(20)] == [200] * 20
        assert time.monotonic() - began < 10
    finally:
        client.close()
        end([proxy, *servers])


def up(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
