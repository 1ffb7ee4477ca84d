"""Who may look into the registry and who may grant places. Readers are those who work with it. A surveyor, a city viewer and a vendor have no business there."""

from typing import Annotated

from fastapi import Depends, Path
from sqlmodel import Session

from market.auth.access import Principal, Role, allow
from market.vendors.models import Market
from market.vendors.service import visible_markets

READERS = (Role.clerk, Role.market_head, Role.treasurer, Role.director, Role.collector, Role.admin)
# A row number in an address: what no database holds is refused before it is asked.
RowId = Annotated[int, Path(ge=0, lt=2**63)]
Registrar = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head))]
Reader = Annotated[Principal, Depends(allow(*READERS))]


def readable(session: Session, by: Principal) -> list[Market]:
    """Markets whose registry `by` may read; an auditor reads like the office."""
    return visible_markets(session, by, *READERS, Role.auditor)
