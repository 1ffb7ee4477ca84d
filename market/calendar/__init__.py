"""The office calendar: closed and working days, opening rules, the Pawukon cycle. Pure functions plus two dated tables.

It never computes Nyepi (a table does, from the yearly letters) and knows no feature: a market is a code here.
"""
