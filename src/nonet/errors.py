"""The one error type and its closed set of codes, the same in library, command and API."""

from __future__ import annotations

CODES = frozenset(
    {
        "prompt_empty",
        "prompt_too_long",
        "prompt_refused",
        "setting_invalid",
        "model_unknown",
        "model_missing",
        "model_failed",
        "weights_corrupt",
        "output_unwritable",
        "disk_full",
        "data_missing",
        "data_corrupt",
        "fetch_failed",
        "offline",
        "config_invalid",
        "queue_full",
        "rate_limited",
        "not_found",
        "not_allowed",
        "key_unknown",
        "key_reused",
        "request_invalid",
        "too_large",
        "unavailable",
        "expired",
        "cancelled",
        "file_unreadable",
        "internal",
    }
)


class NonetError(Exception):
    """A failure that a person or a program can act on.

    Args:
        code: one of `CODES`; stable across versions.
        message: one sentence, what went wrong.
        hint: one sentence, what to do next; may be empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        if code not in CODES:
            raise ValueError(f"{code!r} is not an error code of nonet")
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        return f"{text} {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[type[NonetError], tuple[str, str, str]]:
        # The default would rebuild it from the formatted text alone; errors cross process borders here.
        return (NonetError, (self.code, self.message, self.hint))
