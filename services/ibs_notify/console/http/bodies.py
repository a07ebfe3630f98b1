"""Bodies of requests as people read them."""

from __future__ import annotations

import json


def laid_out(body: str) -> str:
    """JSON over several lines; anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
