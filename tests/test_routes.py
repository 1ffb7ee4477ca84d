"""Every route declares who may call it."""

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from market.app import create_app


def declares_access(dependant: Dependant) -> bool:
    return hasattr(dependant.call, "allowed") or any(declares_access(d) for d in dependant.dependencies)


def test_every_route_says_who_may_call_it() -> None:
    routes = [r for r in create_app().routes if isinstance(r, APIRoute)]
    assert routes
    silent = sorted(f"{sorted(r.methods)} {r.path}" for r in routes if not declares_access(r.dependant))
    assert not silent, f"no `by:` on {silent}"


def test_nothing_else_is_mounted() -> None:
    known = {"/static", "/openapi.json", "/api/docs", "/api/docs/oauth2-redirect"}
    others = {r.path for r in create_app().routes if isinstance(r, (Mount, Route)) and not isinstance(r, APIRoute)}
    assert others <= known
