"""Every way in which weights come in and go out.

What needs torch or the network is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonet.checkpoints.loader import load
    from nonet.checkpoints.model import Model
    from nonet.checkpoints.places import locate
    from nonet.checkpoints.textside import TextContext

__all__ = ["Model", "TextContext", "load", "locate"]

_HOMES = {"Model": "model", "TextContext": "textside", "load": "loader", "locate": "places"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
