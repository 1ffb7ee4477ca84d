"""What charges and documents are called, by a market's fee regime: a company never issues an SKRD, a levy is no BOP."""

from market.dues.models import ChargeType
from market.errors import Invalid
from market.words import N_

PERUMDA, LEVY, VILLAGE = "PERUMDA", "RETRIBUSI_PEMDA", "DESA_ADAT"

CHARGES: dict[str, dict[str, str]] = {
    ChargeType.BOP: {PERUMDA: N_("BOP harian"), VILLAGE: N_("Iuran harian pasar")},
    ChargeType.RETRIBUSI: {LEVY: N_("Retribusi pelayanan pasar")},
    ChargeType.SEWA: {PERUMDA: N_("Sewa tempat"), LEVY: N_("Sewa tempat"), VILLAGE: N_("Sewa tempat")},
}
EVERYWHERE: dict[str, str] = {
    ChargeType.LISTRIK: N_("Listrik"),
    ChargeType.AIR: N_("Air dan WC"),
    ChargeType.KEBERSIHAN: N_("Kebersihan"),
    ChargeType.PARKIR: N_("Parkir"),
    ChargeType.IZIN: N_("Biaya izin"),
    ChargeType.DENDA: N_("Denda"),
}
DOCUMENTS: dict[str, dict[str, str]] = {
    "bill": {PERUMDA: N_("Surat tagihan"), LEVY: N_("SKRD"), VILLAGE: N_("Tagihan iuran")},
    "daily_ticket": {PERUMDA: N_("Karcis BOP"), LEVY: N_("Karcis retribusi"), VILLAGE: N_("Karcis iuran")},
    "receipt": {PERUMDA: N_("Bukti bayar"), LEVY: N_("SSRD"), VILLAGE: N_("Bukti bayar")},
    "deposit": {PERUMDA: N_("Setoran unit"), LEVY: N_("STS"), VILLAGE: N_("Setoran kas desa")},
    "reminder": {PERUMDA: N_("Surat peringatan (SP)"), LEVY: N_("Surat teguran"), VILLAGE: N_("Surat pengingat")},
    "late_bill": {PERUMDA: N_("Tagihan tunggakan"), LEVY: N_("STRD"), VILLAGE: N_("Tagihan tunggakan")},
    "overpaid": {PERUMDA: N_("Catatan titipan"), LEVY: N_("SKRDLB"), VILLAGE: N_("Catatan titipan")},
    "payer_number": {PERUMDA: N_("Nomor pedagang"), LEVY: N_("NPWRD"), VILLAGE: N_("Nomor pedagang")},
}


class TypeNotOfRegime(Invalid):
    message = N_("{charge_type} tidak dipungut di pasar dengan aturan {regime}.")


def charge_name(regime: str, charge_type: str) -> str:
    """The msgid of a charge's name. Raises TypeNotOfRegime where the regime has no such charge."""
    by_regime = CHARGES.get(charge_type)
    name = by_regime.get(regime) if by_regime is not None else EVERYWHERE.get(charge_type)
    if name is None:
        raise TypeNotOfRegime(charge_type=charge_type, regime=regime)
    return name


def document_name(regime: str, document: str) -> str:
    """The msgid of a document's name: bill, daily_ticket, receipt, deposit, reminder, late_bill, overpaid, payer_number."""
    return DOCUMENTS[document][regime]


def charges_of(regime: str) -> list[ChargeType]:
    """The types a market of this regime may charge."""
    return [t for t in ChargeType if t in EVERYWHERE or regime in CHARGES[t]]
