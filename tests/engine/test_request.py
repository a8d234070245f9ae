from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonet.engine.request import DrawRequest
from nonet.errors import NonetError


def code_of(**settings: Any) -> str:
    with pytest.raises(NonetError) as caught:
        DrawRequest(**{"prompt": "a cat", **settings})
    return caught.value.code


def test_defaults_are_nine_pictures_and_the_models_settings() -> None:
    request = DrawRequest(prompt="a cat")
    assert (request.count, request.pictures, request.negative_prompt) == (9, 9, "")
    assert (request.guidance, request.temperature, request.top_k, request.top_p) == (None,) * 4


def test_a_seed_that_nobody_chose_is_random_and_32_bit() -> None:
    seeds = {DrawRequest(prompt="a cat").seed for _ in range(8)}
    seeds |= {DrawRequest(prompt="a cat", seed=None).seed for _ in range(8)}  # type: ignore[arg-type]
    assert len(seeds) > 12
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DrawRequest(prompt="a cat").count = 3  # type: ignore[misc]


@pytest.mark.parametrize("prompt", ["", " ", "\n\t", "\u200b\u00a0", "\x00"])
def test_blank_prompts(prompt: str) -> None:
    assert code_of(prompt=prompt) == "prompt_empty"


def test_long_prompts() -> None:
    assert DrawRequest(prompt="x" * 2000, negative_prompt="y" * 2000)
    assert code_of(prompt="x" * 2001) == "prompt_too_long"
    assert code_of(negative_prompt="x" * 2001) == "prompt_too_long"


def test_what_is_no_text() -> None:
    assert code_of(prompt=3) == "setting_invalid"
    assert code_of(negative_prompt=None) == "setting_invalid"
    assert code_of(prompt="a \udcff cat") == "setting_invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 0),
        ("count", 65),
        ("count", -1),
        ("count", True),
        ("count", 9.0),
        ("count", "9"),
        ("seed", -1),
        ("seed", 2**53),
        ("seed", False),
        ("seed", 1.5),
        ("guidance", math.nan),
        ("guidance", math.inf),
        ("guidance", -0.5),
        ("guidance", 1001),
        ("guidance", True),
        ("guidance", "10"),
        ("temperature", math.nan),
        ("temperature", -1e-9),
        ("temperature", 101),
        ("temperature", -math.inf),
        ("top_k", -1),
        ("top_k", 5.0),
        ("top_k", True),
        ("top_p", 0),
        ("top_p", 1.01),
        ("top_p", -0.1),
        ("top_p", math.nan),
        ("top_p", False),
        ("candidates", -1),
        ("candidates", 8),
        ("candidates", 257),
        ("candidates", True),
        ("candidates", False),
        ("candidates", 18.0),
    ],
)
def test_wrong_settings_say_which_and_what_would_be_right(name: str, value: Any) -> None:
    with pytest.raises(NonetError) as caught:
        DrawRequest(prompt="a cat", **{name: value})
    assert caught.value.code == "setting_invalid"
    assert caught.value.message.startswith(f"{name} is {value!r}, but must be ")


def test_a_huge_value_does_not_fill_the_message() -> None:
    with pytest.raises(NonetError) as caught:
        DrawRequest(prompt="a cat", count="9" * 1000)  # type: ignore[arg-type]
    assert len(caught.value.message) < 120


@given(
    prompt=st.text(st.characters(codec="utf-8"), max_size=50).map(lambda text: "a" + text),
    count=st.integers(1, 64),
    seed=st.integers(0, 2**53 - 1),
    guidance=st.none() | st.floats(0, 1000),
    temperature=st.none() | st.floats(0, 100),
    top_k=st.none() | st.integers(0, 1_000_000),
    top_p=st.none() | st.floats(0, 1, exclude_min=True),
    more=st.none() | st.integers(0, 192),
)
def test_all_within_the_ranges_is_kept_as_given(more: int | None, **settings: Any) -> None:
    candidates = more and settings["count"] + more
    request = DrawRequest(**settings, candidates=candidates)
    for name, value in settings.items():
        assert getattr(request, name) == value
    assert request.pictures == (candidates or request.count)


@given(
    st.fixed_dictionaries(
        {"prompt": st.text(max_size=20)},
        optional={
            name: st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
            for name in ("count", "seed", "guidance", "temperature", "top_k", "top_p", "candidates")
        },
    )
)
def test_anything_at_all_is_a_request_within_the_ranges_or_an_error_with_a_code(settings: Any) -> None:
    code = ""
    try:
        request = DrawRequest(**settings)
    except NonetError as error:
        code = error.code
    if code:
        assert code in {"prompt_empty", "setting_invalid"}
        return
    assert 1 <= request.count <= request.pictures <= 256
    assert 0 <= request.seed < 2**53
    assert request.guidance is None or 0 <= request.guidance <= 1000
    assert request.top_p is None or 0 < request.top_p <= 1


def test_a_request_is_checked_without_torch() -> None:
    code = (
        "import sys, nonet.engine; nonet.engine.DrawRequest(prompt='a cat');"
        "sys.exit(f'imported: {names}' if (names := {'torch', 'numpy'} & set(sys.modules)) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
