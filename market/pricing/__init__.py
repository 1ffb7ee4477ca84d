"""Commodities, morning quotes, daily prices, publication, reference prices, charts and exports.

Owns what a thing costs, where and when, and how sure we are. Never a vendor's fee: that is `dues`. A price is never
edited: a correction is a new revision beside the old one. Imported figures stay in their own series and never enter
a market's official series, its board or the city median.
"""
