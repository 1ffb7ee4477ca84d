"""Jobs and outbox: two small tables written in the same transaction as the fact they announce.

Worked off by any process. Every job is catch-up and idempotent: it may run twice, it never runs half.
"""
