"""What pages, the API and others ask of collection."""

from market.collection.banking import (
    Undeposited,
    deposit,
    match,
    match_all,
    record_line,
    undeposited,
)
from market.collection.batch import collect_many
from market.collection.closing import Readiness, close, readiness
from market.collection.handovers import count_notes, find_by_round, hand_over, in_hand, takings, verify
from market.collection.pending import CollectorRow, Waiting, collectors, pending
from market.collection.rounds import (
    SlipIn,
    SlipOutcome,
    StopView,
    check_in,
    collect,
    current_round,
    is_closed,
    next_slip,
    note_visit,
    open_round,
    slip_name,
    slips_of,
    walk,
)
from market.collection.voids import (
    Standing,
    ask_correction,
    ask_void,
    decide,
    standing,
    void_requests,
    waiting_voids,
)

__all__ = [
    "CollectorRow", "Readiness", "SlipIn", "SlipOutcome", "Standing", "StopView", "Undeposited", "Waiting", "ask_correction", "ask_void", "check_in", "close", "collect", "collect_many", "collectors",
    "count_notes", "current_round", "decide", "deposit", "find_by_round", "hand_over", "in_hand", "is_closed", "match", "match_all",
    "next_slip", "note_visit", "open_round", "pending", "readiness", "record_line", "slip_name", "slips_of", "standing", "takings", "undeposited",
    "verify", "void_requests", "waiting_voids", "walk",
]  # fmt: skip
