"""Headers on every answer, and the refusal of writes that another site sent.

CSRF by Sec-Fetch-Site, else Origin: no token in any form. A browser always sends one of them with a POST;
a program with a bearer token and a provider's machine send no cookie and are not concerned.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.auth.access import COOKIE

SAFE = {"GET", "HEAD", "OPTIONS"}
MACHINES = ("/webhooks/", "/snap/")
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class SecurityMiddleware:
    """Outermost but for the hot pages."""

    def __init__(self, app: ASGIApp, *, https: bool, form_targets: tuple[str, ...] = ()) -> None:
        self.app = app
        self.https = https
        self.csp = CSP.replace("form-action 'self'", " ".join(("form-action 'self'", *form_targets)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] not in SAFE and is_cross_site(scope["path"], Headers(scope=scope)):
            refusal = PlainTextResponse("Permintaan dari situs lain ditolak. / Cross-site request refused.", 403)
            await refusal(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", self.csp)
                headers.setdefault("x-content-type-options", "nosniff")
                headers.setdefault("referrer-policy", "same-origin")
                headers.setdefault("x-frame-options", "DENY")
                headers.setdefault("cache-control", "private, no-store")
                if self.https:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self.app(scope, receive, with_headers)


def is_cross_site(path: str, headers: Headers) -> bool:
    """Whether a write came from another site's page."""
    if path.startswith(MACHINES) or headers.get("authorization", "")[:7].lower() == "bearer ":
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc != headers.get("host", "")
    # Neither header: not a current browser. A session cookie without either is not trusted.
    return f"{COOKIE}=" in headers.get("cookie", "")
