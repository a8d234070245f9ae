from __future__ import annotations

import pickle

import pytest

from nonet.errors import CODES, NonetError


def test_text_has_code_message_and_hint() -> None:
    assert (
        str(NonetError("disk_full", "No space is left.", "Free some."))
        == "disk_full: No space is left. Free some."
    )
    assert str(NonetError("disk_full", "No space is left.")) == "disk_full: No space is left."


def test_a_code_outside_the_set_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="'oops' is not an error code"):
        NonetError("oops", "What?")


@pytest.mark.parametrize("code", sorted(CODES))
def test_errors_cross_process_borders(code: str) -> None:
    back = pickle.loads(pickle.dumps(NonetError(code, "message", "hint")))
    assert (back.code, back.message, back.hint) == (code, "message", "hint")
