"""The log: JSON, with ids, without what people wrote."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nonet.service import logs


@contextmanager
def logging_to(level: str = "info", *, prompts: bool = False) -> Iterator[list[dict[str, Any]]]:
    """The lines that were logged, when the block has ended."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    stream = io.StringIO()
    lines: list[dict[str, Any]] = []
    logs.set_up(level, prompts=prompts, stream=stream)
    try:
        yield lines
    finally:
        root.handlers[:], root.level = before[0], before[1]
        root.setLevel(before[1])
    lines += [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ours_and_others_are_json() -> None:
    with logging_to() as lines:
        logs.get_logger("test").info("hello", job="x")
        logging.getLogger("somebody").warning("careful: %s", 7)
        logs.get_logger("test").debug("quiet")
    assert [line["event"] for line in lines] == ["hello", "careful: 7"]
    assert lines[0]["job"] == "x"
    assert lines[1]["logger"] == "somebody"
    assert all(line["timestamp"].endswith("Z") and line["level"] for line in lines)


def test_prompts_are_left_out_unless_asked_for() -> None:
    secret = {"prompt": "a walrus", "negative_prompt": "a walrus", "query": "a walrus", "body": "a walrus"}
    with logging_to() as lines:
        logs.get_logger("test").info("drawing", job="x", **secret)
    assert "walrus" not in json.dumps(lines)
    assert lines[0]["job"] == "x"
    with logging_to(prompts=True) as lines:
        logs.get_logger("test").info("drawing", **secret)
    assert lines[0]["prompt"] == "a walrus"


def test_errors_have_their_traceback_in_one_line() -> None:
    with logging_to() as lines:
        try:
            raise ValueError("no")
        except ValueError:
            logs.get_logger("test").exception("failed")
            logging.getLogger("somebody").exception("failed too")
    assert all("ValueError: no" in line["exception"] for line in lines)


def test_levels() -> None:
    with logging_to("error") as lines:
        logs.get_logger("test").warning("careful")
        logs.get_logger("test").error("bad")
    assert [line["event"] for line in lines] == ["bad"]


@pytest.mark.parametrize("name", ["uvicorn.access"])
def test_lines_with_whole_urls_are_off(name: str) -> None:
    with logging_to() as lines:
        logging.getLogger(name).info("GET /gallery?q=a+walrus")
    assert lines == []
