"""How a request from outside becomes a checked one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from nonet.errors import NonetError
from nonet.service.intake import base_url, draw_request, model_name


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_control_characters_are_refused_but_for_those_of_pasted_text(code: int) -> None:
    text = f"a{chr(code)}cat"
    for prompt, negative in ((text, ""), ("a cat", text)):
        if chr(code) in "\t\n\r":
            draw_request(prompt=prompt, negative_prompt=negative)
        else:
            with pytest.raises(NonetError) as caught:
                draw_request(prompt=prompt, negative_prompt=negative)
            assert caught.value.code == "setting_invalid"


def test_a_seed_is_drawn_by_lot_or_kept() -> None:
    assert draw_request(prompt="a cat", seed=0).seed == 0
    assert len({draw_request(prompt="a cat").seed for _ in range(20)}) > 1


def test_a_prompt_of_the_wrong_type_is_a_wrong_setting() -> None:
    wrong: Any = 5
    with pytest.raises(NonetError) as caught:
        draw_request(prompt=wrong)
    assert caught.value.code == "setting_invalid"


def test_a_folder_of_weights_is_called_by_its_own_name(tmp_path: Path) -> None:
    weights = tmp_path / "my-weights"
    weights.mkdir()
    for model, name in (
        (str(weights), "my-weights"),
        ("doodle", "doodle"),
        ("somebody/model", "somebody/model"),
    ):
        services: Any = SimpleNamespace(settings=SimpleNamespace(model=model))
        assert model_name(services) == name


def test_addresses_are_the_public_ones_where_these_are_known() -> None:
    scope = {
        "type": "http",
        "headers": [(b"host", b"here:7777")],
        "path": "/x",
        "scheme": "http",
        "server": None,
    }
    request = Request({**scope, "query_string": b"", "root_path": ""})
    for public, wanted in (("", "http://here:7777"), ("https://nonet.example/", "https://nonet.example")):
        services: Any = SimpleNamespace(settings=SimpleNamespace(public_url=public))
        assert base_url(services, request) == wanted
