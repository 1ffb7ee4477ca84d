"""What crosses features: the first page, the office's today, `/vendor`, `/pay`, the trace, the tour. Nobody imports it."""
