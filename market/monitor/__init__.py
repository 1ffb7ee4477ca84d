"""The city's wall: aggregates of what other features recorded. Reads only; no person, no place, nothing imports it."""
