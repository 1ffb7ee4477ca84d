"""OpenTelemetry, where MARKET_OTLP_ENDPOINT is set: a span for each request and for each of its statements.

Loaded only then; needs the extra `tracing`. A span holds a route and a statement with placeholders, never an address as it was
typed, a value or a client's address: FastAPI's and Starlette's own spans do, and stay off.
"""

from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from sqlalchemy import Engine, event
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.measuring import route_of


def provider(endpoint: str) -> TracerProvider:
    """Spans go in batches from a thread of their own to `endpoint`/v1/traces; a collector that is away delays no request."""
    made = TracerProvider(resource=Resource.create({"service.name": "smart-ekonomi"}))
    made.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5))
    )
    return made


class TracingMiddleware:
    """Around the whole application; goes on with the trace that a proxy began (`traceparent`)."""

    def __init__(self, app: ASGIApp, *, tracer: trace.Tracer) -> None:
        self.app = app
        self.tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        carrier = {n.decode(): v.decode("latin-1") for n, v in scope["headers"] if n in (b"traceparent", b"tracestate")}
        method = scope["method"]
        with self.tracer.start_as_current_span(
            method, context=propagate.extract(carrier), kind=SpanKind.SERVER, record_exception=False
        ) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self.app(scope, receive, noted)
            finally:
                route = route_of(scope)
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.request.method": method, "http.route": route})


def trace_statements(engine: Engine, tracer: trace.Tracer) -> None:
    """A child span for each statement of a traced request; others (jobs, look-outs) make none."""

    def before(_connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:
        if context is not None and trace.get_current_span().is_recording():
            words = " ".join(statement.split())
            context.span = tracer.start_span(words.split(" ", 1)[0], kind=SpanKind.CLIENT)
            context.span.set_attributes({"db.system.name": engine.dialect.name, "db.query.text": words[:1000]})

    def after(_connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:
        if span := getattr(context, "span", None):
            span.end()

    def failed(problem: Any) -> None:
        if span := getattr(problem.execution_context, "span", None):
            span.set_status(Status(StatusCode.ERROR))
            span.end()

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed)
