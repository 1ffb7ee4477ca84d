"""Stand-ins for the acquirer and for Stripe: a program of its own that speaks their protocols over HTTP.

Owns: its keys and state under `var/sandbox`, the faults a provider can have, the pages where a person plays the
payer. Never: imported by the product (only `market sandbox …` starts it), a real merchant, real money.
"""
