"""Every route declares who may call it."""

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from market.app import create_app

CONTEXTS = list(iter_route_contexts(create_app().routes))


def declares_access(dependant: Dependant) -> bool:
    return hasattr(dependant.call, "allowed") or any(declares_access(d) for d in dependant.dependencies)


def test_every_route_says_who_may_call_it() -> None:
    ours = [c for c in CONTEXTS if isinstance(c.original_route, APIRoute)]
    assert ours
    silent = sorted(
        f"{sorted(c.methods or ())} {c.path}" for c in ours if not declares_access(c.original_route.dependant)
    )
    assert not silent, f"no `by:` on {silent}"


def test_nothing_else_is_mounted() -> None:
    known = {"/static", "/openapi.json", "/api/docs", "/docs/oauth2-redirect"}
    assert {c.path for c in CONTEXTS if not isinstance(c.original_route, APIRoute)} <= known
