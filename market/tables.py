"""Imports every models module, so that the metadata is complete."""

from importlib import import_module
from importlib.util import find_spec

from sqlmodel import SQLModel

from market import audit, installation
from market.auth import models as auth
from market.jobs import models as jobs
from market.web import idempotency

KERNEL = (audit, auth, idempotency, installation, jobs)  # imported for their tables

for feature in ("ledger", "calendar", "vendors", "dues", "payments", "pricing", "collection", "desk"):
    if find_spec(f"market.{feature}") and find_spec(f"market.{feature}.models"):
        import_module(f"market.{feature}.models")

metadata = SQLModel.metadata
