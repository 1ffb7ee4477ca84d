"""What lets an operator see the application run: counting, request ids, logs, and traces where they are asked for."""

from weakref import WeakSet

from fastapi import FastAPI
from sqlalchemy import Engine

from market.measuring import MeasureMiddleware, measure
from market.settings import Settings

_measured: WeakSet[Engine] = WeakSet()


class NoTracing(ValueError):
    """MARKET_OTLP_ENDPOINT is set and the library is not there."""


def install(app: FastAPI, settings: Settings) -> None:
    """Call last: what is added last stands outermost."""
    replica = app.state.replica
    engines = [(app.state.engine, "primary")] + ([(replica.engine, "replica")] if replica else [])
    for engine, name in engines:
        if engine not in _measured:
            measure(engine, name, slow_ms=settings.slow_query_ms)
            _measured.add(engine)
    app.add_middleware(MeasureMiddleware, logs=settings.production)
    app.state.spans = None
    if settings.otlp_endpoint:
        try:
            from market import tracing
        except ImportError as error:
            raise NoTracing(
                "MARKET_OTLP_ENDPOINT needs the extra `tracing`: pip install 'smart-ekonomi[tracing]'"
            ) from error
        app.state.spans = tracing.provider(settings.otlp_endpoint)
        tracer = app.state.spans.get_tracer("smart-ekonomi")
        for engine, _ in engines:
            tracing.trace_statements(engine, tracer)
        app.add_middleware(tracing.TracingMiddleware, tracer=tracer)
