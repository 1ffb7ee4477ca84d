"""What is owed: tariffs, reliefs, charges, settlements, bills, arrears.

Owns the subledger of receivables. Never takes money (payments/) and never edits a charge: corrections are new revisions.
"""
