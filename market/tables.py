"""Imports every models module, so that the metadata is complete."""

from sqlmodel import SQLModel

from market import audit, installation
from market.auth import models as auth
from market.calendar import models as calendar
from market.collection import counter_models as counter
from market.collection import device_models as devices
from market.collection import models as collection
from market.collection import statement_models as statements
from market.collection import ticket_models as tickets
from market.dues import late_models as lateness
from market.dues import models as dues
from market.jobs import models as jobs
from market.ledger import models as ledger
from market.payments import models as payments
from market.payments import payout_models as payouts
from market.payments import pin_models as pins
from market.payments import refund_models as refunds
from market.pricing import models as pricing
from market.vendors import channel_models as channels
from market.vendors import life_models as life
from market.vendors import models as vendors
from market.vendors import plan_models as plans
from market.web import idempotency

MODULES = (
    audit, auth, calendar, channels, collection, counter, devices, dues, idempotency, installation, jobs, lateness, ledger, life, payments,
    payouts, pins, plans, pricing, refunds, statements, tickets, vendors,
)  # fmt: skip

metadata = SQLModel.metadata
