"""Stripe counts rupiah in hundredths (payments.md 1.4): Rp 15.000 is 1500000. The one place that converts."""

LARGEST = 9_999_999_999  # rupiah: Stripe's twelve digits of minor units


class BadStripeAmount(ValueError):
    """Not a whole, positive amount of rupiah that Stripe could carry."""


def to_stripe(rupiah: int) -> int:
    if type(rupiah) is not int or not 0 < rupiah <= LARGEST:
        raise BadStripeAmount(rupiah)
    return rupiah * 100


def from_stripe(minor: object) -> int:
    """Whole rupiah; hundredths are refused, not rounded: we never asked for any."""
    if type(minor) is not int or minor < 0 or minor % 100:
        raise BadStripeAmount(minor)
    return minor // 100
