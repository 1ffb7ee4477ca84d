"""Double entry in whole rupiah: accounts, transactions, postings, counters, the sealer.

Append-only, balanced by the database itself, one book per market and one per operator (`@PERUMDA`) for what spans
markets. Knows no feature: what an account means to a market is its callers' business. Never edits, never deletes:
a correction is a reversing transaction.
"""
