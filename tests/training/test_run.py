"""Runs: what stops and goes on is what never stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nonet.errors import NonetError
from nonet.training.codec import CodecTrainee
from nonet.training.run import Run, load_state
from tiny_codec import trainee


def weights(item: CodecTrainee) -> list[Tensor]:
    return [*item.codec.state_dict().values(), *item.ema.values.values()]


class StopError(Exception):
    """Ends a run from its report."""


def test_a_resumed_run_is_bit_equal_to_one_that_never_stopped(tmp_path: Path) -> None:
    straight = trainee()
    Run(straight, tmp_path / "straight", straight.settings_dict()).train()

    first = trainee()

    def stop_at_three(step: int, scalars: dict[str, float]) -> None:
        if step == 3:
            raise StopError

    with pytest.raises(StopError):
        Run(first, tmp_path / "sliced", first.settings_dict()).train(report=stop_at_three)
    second = trainee()
    run = Run(second, tmp_path / "sliced", second.settings_dict())
    assert run.steps_done == 3
    assert run.train() == 6

    assert all(torch.equal(a, b) for a, b in zip(weights(straight), weights(second), strict=True))
    assert not torch.equal(weights(first)[0], weights(second)[0])


def test_no_minutes_train_nothing_but_leave_a_state_and_a_sheet(tmp_path: Path) -> None:
    item = trainee()
    assert Run(item, tmp_path, item.settings_dict()).train(max_minutes=0) == 0
    assert load_state(tmp_path / "state.pt")["steps_done"] == 0
    assert list((tmp_path / "sheets").glob("*.png"))


def test_every_step_leaves_its_scalars(tmp_path: Path) -> None:
    item = trainee(2)
    Run(item, tmp_path, item.settings_dict()).train()
    lines = [json.loads(line) for line in (tmp_path / "scalars.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert all({"loss", "psnr", "seconds"} <= line.keys() for line in lines)


def test_a_run_of_another_config_is_not_gone_on_with(tmp_path: Path) -> None:
    item = trainee()
    Run(item, tmp_path, item.settings_dict()).save()
    other = item.settings_dict()
    other["model"]["ch"] = 16
    with pytest.raises(NonetError, match="model") as caught:
        Run(item, tmp_path, other)
    assert caught.value.code == "config_invalid"


def test_a_run_may_be_lengthened(tmp_path: Path) -> None:
    item = trainee(2)
    Run(item, tmp_path, item.settings_dict()).train()
    longer = trainee(4)
    assert Run(longer, tmp_path, longer.settings_dict()).train() == 4


def test_a_broken_state_is_said(tmp_path: Path) -> None:
    item = trainee()
    (tmp_path / "state.pt").write_bytes(b"no checkpoint")
    with pytest.raises(NonetError) as caught:
        Run(item, tmp_path, item.settings_dict())
    assert caught.value.code == "weights_corrupt"


@pytest.mark.parametrize(("resume", "code"), [("must", "data_missing"), ("maybe", "setting_invalid")])
def test_what_resume_may_be(tmp_path: Path, resume: str, code: str) -> None:
    item = trainee()
    with pytest.raises(NonetError) as caught:
        Run(item, tmp_path, item.settings_dict(), resume=resume)
    assert caught.value.code == code
