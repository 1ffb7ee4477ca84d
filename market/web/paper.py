"""Paper: a Typst template and its figures as a PDF. The same figures give the same bytes."""

import json
from datetime import datetime
from typing import Any

from market.web.render import ROOT


def pdf(template: str, data: dict[str, Any], *, made_at: datetime | None = None, **inputs: str) -> bytes:
    """`template` under templates/, its `data` as JSON and further named texts; `made_at` is the date the file states."""
    import typst  # 6 MiB that a process which prints nothing does without

    made = typst.compile(
        (ROOT / "templates" / template).read_bytes(),
        format="pdf",
        sys_inputs={"data": json.dumps(data), **inputs},
        ignore_system_fonts=False,
        timestamp=int(made_at.timestamp()) if made_at else None,
    )
    return bytes(made)
