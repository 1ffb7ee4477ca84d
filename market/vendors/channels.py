"""The vendor chooses how the market writes: not at all, by SMS, or by WhatsApp. Both go through the one gateway."""

from collections.abc import Collection

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Forbidden, Invalid
from market.jobs.delivery import channel_of_kind
from market.vendors.channel_models import Channel, VendorChannel
from market.vendors.models import Vendor
from market.words import N_, say


class ChannelUnknown(Invalid):
    message = N_("Pilih lewat apa kabar dikirim.")


def choose(session: Session, vendor_id: int, channel: str, *, by: Principal, market_id: str = "") -> None:
    """The vendor's own word, or told to a clerk of `market_id`. Raises ChannelUnknown."""
    if by.user_id is None:
        raise Forbidden
    if by.vendor_id != vendor_id:
        by.require(Role.clerk, market_id=market_id)
    if channel not in set(Channel):
        raise ChannelUnknown(fields={"channel": say(ChannelUnknown.message)})
    session.merge(
        VendorChannel(vendor_id=vendor_id, channel=Channel(channel), chosen_at=clock.now(), chosen_by=by.user_id)
    )
    session.flush()
    audit.record(
        session, by, "channel.choose", "vendor", str(vendor_id), market_id=market_id or None, after={"channel": channel}
    )


@channel_of_kind("vendor")
def channel_of(session: Session, vendor_id: int) -> str:
    """The vendor's channel; `none` where nothing was chosen."""
    row = session.get(VendorChannel, vendor_id)
    return str(row.channel) if row else str(Channel.none)


def listening(session: Session) -> list[VendorChannel]:
    """Vendors who want to hear."""
    return list(session.execute(select(VendorChannel).where(col(VendorChannel.channel) != Channel.none)).scalars())


def names(session: Session, vendor_ids: Collection[int], operator_ids: Collection[str]) -> dict[int, str]:
    """Trading names of those of these vendors who belong to one of the operators."""
    query = select(col(Vendor.id), col(Vendor.name)).where(
        col(Vendor.id).in_(set(vendor_ids)), col(Vendor.operator_id).in_(set(operator_ids))
    )
    return {row.id: row.name for row in session.execute(query) if row.id is not None}
