"""How fast DALL-E Mega draws on a GPU: `python benchmarks/mega_gpu.py`.

Nine pictures of one prompt, condition scale 10, top-k 50, all 256 tokens and the codec, with weights of chance in the
sizes of Mega (they take as long as the published ones): one request alone, with and without partial pictures, and four
at a time. Beside it the bound of any step: reading the decoder's weights once a token, at the speed at which the GPU
copies memory.

`--model mini` measures Mini, `--plain` the step that is not recorded as a CUDA graph, too. Without a GPU `--device cpu
--tiny` runs the same code at toy sizes, to see that it does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from nonet.checkpoints.model import Model
from nonet.checkpoints.textside import BartSide
from nonet.engine import DrawRequest, Engine, Failed
from nonet.engine.fixed_step import FixedSteps
from nonet.engine.painting import Painter
from nonet.model.config import Seq2SeqConfig
from nonet.model.seq2seq import Seq2Seq
from nonet.model.tokenizer import TextTokenizer
from nonet.model.vqgan import VQGAN, VQGANConfig

SIZES = {
    "mini": {"width": 1024, "layers": 12, "hidden": 2730, "words": 50264, "codes": 16384},
    "mega": {"width": 2048, "layers": 24, "hidden": 4096, "words": 50272, "codes": 16415},
    "tiny": {"width": 64, "layers": 2, "hidden": 96, "words": 300, "codes": 16384, "ch": 32},
}
REQUEST = DrawRequest(prompt="a red apple on a table", count=9, seed=1)


def chance_model(size: dict[str, int], device: torch.device, dtype: torch.dtype) -> Model:
    """Weights of chance, made where they are used; a tokenizer of single bytes."""
    values: dict[str, Any] = {"d_model": size["width"], "encoder_vocab_size": size["words"]}
    values |= {"image_vocab_size": size["codes"], "decoder_start_token_id": 16384}
    for side in ("encoder", "decoder"):
        values |= {f"{side}_layers": size["layers"], f"{side}_ffn_dim": size["hidden"]}
        values[f"{side}_attention_heads"] = size["width"] // 64
    config = Seq2SeqConfig.from_dict(values)
    with torch.device(device):
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            seq2seq = Seq2Seq(config).reset().eval().requires_grad_(False)
        finally:
            torch.set_default_dtype(before)
        vqgan = VQGAN(VQGANConfig(ch=size.get("ch", 128))).eval().requires_grad_(False)
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 512))][:256]
    vocabulary = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters])}
    tokenizer = TextTokenizer.bart_from_merges(vocabulary, [], config.encoder_vocab_size)
    assert seq2seq.encoder is not None
    text = BartSide(seq2seq.encoder, tokenizer, None, config.max_text_length)
    return Model(name="chance", config=config, seq2seq=seq2seq, text=text, vqgan=vqgan)


def copy_speed(device: torch.device) -> float:
    """Bytes a second that are read, while as many are written."""
    source = torch.zeros((1 << 30) if device.type == "cuda" else (1 << 26), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(10):
        wait(device)
        began = time.perf_counter()
        target.copy_(source)
        wait(device)
        best = min(best, time.perf_counter() - began)
    return 2 * source.nbytes / best


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(engine: Engine, device: torch.device, requests: int = 1, *, partials: bool = False) -> float:
    """How long so many requests take that come at the same time."""
    began = time.perf_counter()
    asked = [replace(REQUEST, seed=REQUEST.seed + 9 * i) for i in range(requests)]
    for stream in [engine.submit(request, partials=partials) for request in asked]:
        for event in stream:
            if isinstance(event, Failed):
                raise SystemExit(event.message)
    wait(device)
    return time.perf_counter() - began


def measured(model: Model, device: torch.device, runs: int, *, fixed: bool) -> dict[str, float]:
    with Engine(model) as engine:
        for lane in engine.lanes:
            lane._batcher.opener.fixed = FixedSteps(model) if fixed else None
        first = seconds(engine, device)
        times = [seconds(engine, device) for _ in range(runs)]
        result = {"first": first, "best": min(times), "median": sorted(times)[len(times) // 2]}
        result["with_partials"] = min(seconds(engine, device, partials=True) for _ in range(2))
        result["four_together"] = min(seconds(engine, device, 4) for _ in range(2))
    return result


@torch.inference_mode()
def codec_seconds(model: Model, device: torch.device) -> float:
    painter = Painter(model)
    codes_PT = torch.randint(16384, (9, 256), device=device)
    times = []
    for _ in range(3):
        wait(device)
        began = time.perf_counter()
        for start in range(0, 9, painter.batch):
            painter.finished(codes_PT[start : start + painter.batch])
        times.append(time.perf_counter() - began)
    return min(times)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="How fast DALL-E Mega draws on a GPU.")
    parser.add_argument("--model", choices=("mini", "mega"), default="mega")
    parser.add_argument("--tiny", action="store_true", help="toy sizes, to see that it runs")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--plain", action="store_true", help="measure the step that is not recorded, too")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("There is no GPU here; --device cpu --tiny shows that the code runs.")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = chance_model(SIZES["tiny" if options.tiny else options.model], device, dtype)
    read = sum(parameter.nbytes for parameter in model.decoder.parameters())
    speed = copy_speed(device)
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "decoder_bytes": read,
        "copy_bytes_per_second": speed,
        "reading_bound": 256 * read / speed,
        "codec": codec_seconds(model, device),
        "graph": measured(model, device, options.runs, fixed=True),
    }
    if options.plain:
        result["plain"] = measured(model, device, options.runs, fixed=False)
    tokens = result["graph"]["best"] - result["codec"]
    result["tokens_to_bound"] = tokens / result["reading_bound"]
    if device.type == "cuda":
        result["peak_megabytes"] = torch.cuda.max_memory_allocated(device) / 1e6
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
