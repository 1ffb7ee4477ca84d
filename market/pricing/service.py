"""What other features ask of prices. Split by use case: catalogue, recording, survey, reading, listing."""

from market.pricing.catalogue import (
    AreaRow,
    Item,
    UnknownArea,
    UnknownCommodity,
    add_area,
    aliases,
    commodities,
    get_area,
    get_commodity,
    get_market,
    markets,
    references,
    seed,
)
from market.pricing.correcting import Corrected, WaitingCorrection, correct, decide, waiting_corrections
from market.pricing.reading import (
    Board,
    BoardRow,
    Comparison,
    DayPrice,
    board,
    compare,
    comparisons,
    corrections,
    history,
    issues,
    other_source,
)
from market.pricing.recording import Observation, Taken, take
from market.pricing.survey import (
    DayQuotes,
    Published,
    QuoteInput,
    approve,
    get_sheet,
    publish,
    publish_days,
    quotes_of,
    recent_prices,
    record_quotes,
    send_back,
    submit,
)

__all__ = [
    "AreaRow", "Board", "BoardRow", "Comparison", "Corrected", "DayPrice", "DayQuotes", "Item", "Observation", "Published",
    "QuoteInput", "Taken", "UnknownArea", "UnknownCommodity", "WaitingCorrection", "add_area", "aliases", "approve", "board",
    "commodities", "compare", "comparisons", "correct", "corrections", "decide", "get_area", "get_commodity", "get_market",
    "get_sheet", "history", "issues", "markets", "other_source", "publish", "publish_days", "quotes_of", "recent_prices",
    "record_quotes", "references", "seed", "send_back", "submit", "take", "waiting_corrections",
]  # fmt: skip
