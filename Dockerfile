# syntax=docker/dockerfile:1
# Two stages: the first has pip and build tools, the second only what runs. Not built where this was written (no engine there).
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
# `--build-arg REQUIREMENTS=tracing` brings OpenTelemetry too.
ARG REQUIREMENTS=base
COPY requirements requirements
RUN python -m venv /app/.venv && /app/.venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement "requirements/${REQUIREMENTS}.txt"

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin market
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY market market
COPY templates templates
COPY static static
COPY locale locale
COPY docs/guide docs/guide
COPY LICENSE README.md ./
# Everything but var/ may be mounted read-only; Python would otherwise try to write bytecode beside the sources.
RUN python -m compileall -q market && install -d -o market -g market -m 0750 var
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MARKET_ENVIRONMENT=production
USER market
VOLUME ["/app/var"]
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "market"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--workers", "2"]
