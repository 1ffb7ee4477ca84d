"""The collector's day: rounds, visits, slips, hand-over, close, deposit and the bank line it becomes.

Owns where cash is between the stall and the bank. Never sets a tariff, never takes a fee out of the takings.
"""
