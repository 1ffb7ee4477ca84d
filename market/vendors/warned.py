"""A warning letter shows on the permit, and goes from it when the debt is settled. The letters themselves belong to dues."""

from collections.abc import Collection

from sqlalchemy import update
from sqlmodel import Session, col

from market.vendors.models import Permit, PermitStatus

WARNED = (PermitStatus.SP1, PermitStatus.SP2, PermitStatus.SP3)


def mark(session: Session, market_id: str, permit_ids: Collection[int], status: PermitStatus) -> None:
    """Show a warning (or, with ACTIVE, none) on permits that are active or warned; suspended and ended ones stay as they are."""
    session.execute(
        update(Permit)
        .where(
            col(Permit.market_id) == market_id,
            col(Permit.id).in_(list(permit_ids)),
            col(Permit.status).in_([str(s) for s in (PermitStatus.ACTIVE, *WARNED)]),
        )
        .values(status=status)
        .execution_options(synchronize_session="fetch")
    )
