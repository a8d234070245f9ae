"""Drawing fast: from a request to a stream of events.

What needs torch is imported when it is first asked for, so that a request can be checked without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nonet.engine.events import Done, Drawn, Event, Failed, Partial, Progress, Started
from nonet.engine.request import DrawRequest

if TYPE_CHECKING:
    from nonet.engine.engine import Engine
    from nonet.engine.stream import DrawStream

__all__ = [
    "Done",
    "DrawRequest",
    "DrawStream",
    "Drawn",
    "Engine",
    "Event",
    "Failed",
    "Partial",
    "Progress",
    "Started",
]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from nonet.engine.engine import Engine

        return Engine
    if name == "DrawStream":
        from nonet.engine.stream import DrawStream

        return DrawStream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
