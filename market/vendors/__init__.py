"""Operators, markets, places, vendors, permits: who may hold which place, in which session, when.

Owns the registry and the personal values of vendors. Never knows what is owed or paid.
"""
