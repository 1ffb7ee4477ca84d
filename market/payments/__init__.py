"""Money that comes in: rails, the inbox, payments, receipts, the vendors' prepaid balance (titipan), what needs review.

Owns every rupiah between a payer and the market's books. Never decides what is owed (dues/), never edits a payment:
a correction is a new row. A provider is never called inside a transaction, nor by a GET.
"""
