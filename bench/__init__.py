"""Benchmarks: our figure beside its limit, measured in the same run. Never imported by the product."""
