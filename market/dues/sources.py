"""As much of the registry as a set-based statement reads. The tables belong to vendors/; nothing here writes them."""

from sqlalchemy import ColumnElement, and_, or_

from market.vendors.models import ENDED, CheckIn, Permit, PermitStatus, Place

permit = Permit.__table__  # type: ignore[attr-defined]
place = Place.__table__  # type: ignore[attr-defined]
check_in = CheckIn.__table__  # type: ignore[attr-defined]


def owes_on(day: ColumnElement[object]) -> ColumnElement[bool]:
    """Whether a permit is billed on `day`: within its dates and not suspended. An ended permit owes up to its end."""
    return and_(
        permit.c.billed_from <= day,
        or_(
            permit.c.valid_until > day,
            and_(permit.c.valid_until.is_(None), permit.c.status.not_in(sorted(ENDED))),
        ),
        permit.c.status != PermitStatus.SUSPENDED,
    )
