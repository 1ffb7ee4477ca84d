"""The example bank by JSON, under /acquirer/control: what a test or a simulation asks a payer or a bank to do."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from market.sandbox.acquirer import PREFIX
from market.sandbox.bank import Bank, BankRefused
from market.sandbox.faults import Faults
from market.sandbox.store import Document


class PayOrder(BaseModel):
    """`POST /acquirer/control/pay/{reference}`: what a test asks the payer to do."""

    model_config = ConfigDict(extra="forbid", strict=True)
    amount: int | None = Field(default=None, ge=1)
    late: bool = False


def router(bank: Bank) -> APIRouter:
    """Read the bank's books, set its faults, pay, and have it repeat itself."""
    routes = APIRouter(prefix=PREFIX)

    @routes.get("/control/transactions")
    def control_list() -> list[Document]:
        return bank.transactions()

    @routes.get("/control/deliveries")
    def control_deliveries(subject: str | None = None) -> list[Document]:
        return bank.courier.deliveries(subject)

    @routes.get("/control/settlement")
    def control_settlement(day: Annotated[date, Query()]) -> dict[str, Any]:
        return bank.settlement(day)

    @routes.get("/control/faults")
    def control_faults() -> Faults:
        return bank.dice.faults

    @routes.post("/control/faults")
    def control_set(faults: Faults) -> Faults:
        bank.dice.set(faults)
        return faults

    @routes.post("/control/pay/{reference}")
    def control_pay(reference: str, order: PayOrder | None = None) -> Response:
        asked = order or PayOrder()
        return _told(lambda: bank.pay(reference, asked.amount, late=asked.late))

    @routes.post("/control/repeat/{reference}")
    def control_repeat(reference: str, same_id: bool = True) -> Response:
        return _told(lambda: bank.repeat(reference, same_id=same_id))

    return routes


def _told(act: Callable[[], Document | None]) -> Response:
    try:
        return JSONResponse(act() or {"done": True})
    except BankRefused as refused:
        return JSONResponse({"error": refused.reason}, refused.status)
