"""Nonet: nine pictures from one line of text.

    import nonet
    pictures = nonet.draw("a red apple on a table")

Importing the package is light: what needs torch is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nonet.errors import NonetError

if TYPE_CHECKING:
    from nonet.checkpoints import Model, load
    from nonet.drawing import draw, save

__version__ = "0.1.0"
__all__ = ["Model", "NonetError", "__version__", "draw", "load", "save"]

_HOMES = {
    "Model": "nonet.checkpoints",
    "draw": "nonet.drawing",
    "load": "nonet.checkpoints",
    "save": "nonet.drawing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
