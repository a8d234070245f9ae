"""OpenAI's Images API, asked by OpenAI's own client as it is published."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from api_site import LiveSite, live_site
from service_fakes import until


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with live_site(tmp_path_factory.mktemp("openai")) as live:
        yield live


@pytest.fixture(scope="module")
def client(live: LiveSite) -> Iterator[OpenAI]:
    with client_of(live) as client:
        yield client


def client_of(live: LiveSite, **options: Any) -> OpenAI:
    return OpenAI(base_url=f"{live.url}/v1", api_key=options.pop("api_key", "none"), timeout=60, **options)


def image(text: str | None) -> Image.Image:
    assert text is not None
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_pictures_in_the_answer(client: OpenAI) -> None:
    begun = int(time.time())
    answer = client.images.generate(prompt="a cat", n=3, response_format="b64_json", size="256x256")
    assert answer.data is not None
    assert [picture.url for picture in answer.data] == [None] * 3
    assert {image(picture.b64_json).format for picture in answer.data} == {"PNG"}
    assert begun - 5 <= answer.created <= time.time() + 5
    assert (answer.size, answer.output_format, answer.background) == ("256x256", "png", "opaque")
    assert answer._request_id


def test_pictures_by_address(live: LiveSite, client: OpenAI) -> None:
    answer = client.images.generate(prompt="a cat", response_format="url", output_format="webp")
    assert answer.data is not None
    assert len(answer.data) == 1
    assert answer.data[0].b64_json is None
    url = answer.data[0].url
    assert url is not None
    assert url.startswith(live.url)
    assert Image.open(io.BytesIO(live.get(url).body)).format == "WEBP"


def test_who_says_nothing_gets_both(client: OpenAI) -> None:
    answer = client.images.generate(
        prompt="a cat", model="doodle", size="auto", user="somebody", quality="hd"
    )
    assert answer.data is not None
    assert answer.data[0].url
    assert image(answer.data[0].b64_json).format == "PNG"


@pytest.mark.parametrize(("format", "found"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_formats(client: OpenAI, format: Any, found: str) -> None:
    answer = client.images.generate(prompt="a cat", output_format=format)
    assert answer.data is not None
    assert image(answer.data[0].b64_json).format == found


def test_compression_makes_files_smaller_in_the_answer_and_at_the_address(
    live: LiveSite, client: OpenAI
) -> None:
    sizes = []
    for quality in (1, 100):
        answer = client.images.generate(
            prompt="a cat", output_format="jpeg", output_compression=quality, extra_body={"seed": 5}
        )
        assert answer.data is not None
        assert answer.data[0].url
        data = base64.b64decode(answer.data[0].b64_json or "")
        assert live.get(answer.data[0].url).body == data
        sizes.append(len(data))
    assert sizes[0] < sizes[1]


def test_nonets_own_fields_go_in_the_extra_body(live: LiveSite, client: OpenAI) -> None:
    extra = {"seed": 11, "negative_prompt": "a dog"}
    answer = client.images.generate(prompt="a cat", extra_body=extra)
    assert answer.data is not None
    told = live.get((answer.data[0].url or "").rsplit("/pictures/")[0]).json()
    assert (told["seed"], told["negative_prompt"]) == (11, "a dog")


@pytest.mark.parametrize("partials", [0, 1, 3])
def test_a_stream(client: OpenAI, partials: int) -> None:
    stream = client.images.generate(
        prompt="quarters pause=0.8", n=2, stream=True, partial_images=partials, output_format="webp"
    )
    events: list[Any] = list(stream)
    completed = [event for event in events if event.type == "image_generation.completed"]
    assert sorted(event.image_index for event in completed) == [0, 1]
    coming = [event for event in events if event.type == "image_generation.partial_image"]
    assert len(events) == len(completed) + len(coming)
    # Partials that came faster than they were read are not sent.
    assert len(coming) <= 2 * partials
    if partials:
        assert coming
    for index in (0, 1):
        mine = [event.partial_image_index for event in coming if event.image_index == index]
        assert mine == list(range(len(mine)))
    for event in events:
        assert (event.size, event.background, event.output_format) == ("256x256", "opaque", "webp")
        assert event.created_at
        assert event.quality == "auto"
        assert image(event.b64_json).format == "WEBP"
    assert {image(event.b64_json).size for event in coming} <= {(256, 256)}


def test_the_wire_of_a_stream(live: LiveSite) -> None:
    answer = live.post("/v1/images/generations", {"prompt": "a cat", "n": 2, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = answer.body.decode().rstrip("\n").split("\n\n")
    assert blocks[-1] == "data: [DONE]"
    assert all(block.startswith("event: image_generation.completed\ndata: {") for block in blocks[:-1])
    assert len(blocks) == 3


def test_a_failure_in_mid_stream(live: LiveSite, client: OpenAI) -> None:
    stream = client.images.generate(prompt="nan", stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == "model_failed"
    assert "finite" in caught.value.message
    text = live.post("/v1/images/generations", {"prompt": "nan", "stream": True}).body.decode()
    assert "event: error\n" in text
    assert text.endswith("data: [DONE]\n\n")


def test_the_async_client(live: LiveSite) -> None:
    import asyncio

    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=f"{live.url}/v1", api_key="none") as client:
            plain = client.images.generate(prompt="a cat")
            streamed = await client.images.generate(prompt="a dog", stream=True)
            return [await plain, *[event async for event in streamed]]

    answer, *events = asyncio.run(ask())
    assert answer.data[0].b64_json
    assert [event.type for event in events] == ["image_generation.completed"]


def test_a_refused_prompt(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="a bloody massacre of children")
    assert (caught.value.code, caught.value.param) == ("prompt_refused", "prompt")
    assert caught.value.type == "invalid_request_error"
    assert "Not drawn" in caught.value.message
    assert caught.value.request_id


def test_a_refused_prompt_is_no_stream(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="a bloody massacre of children", stream=True)
    assert caught.value.code == "prompt_refused"


def test_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(prompt="a cat", model="dall-e-3")
    assert (caught.value.code, caught.value.param) == ("model_unknown", "model")


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"size": "1024x1024"}, "size"),
        ({"size": "256"}, "size"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": "2"}, "n"),
        ({"n": 10}, "n"),  # the site allows nine
        ({"response_format": "svg"}, "response_format"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_format": "jpeg", "output_compression": 101}, "output_compression"),
        ({"output_compression": 50}, "output_compression"),
        ({"stream": True, "partial_images": 4}, "partial_images"),
        ({"partial_images": 1}, "partial_images"),
        ({"background": "transparent"}, "background"),
        ({"stream": "yes"}, "stream"),
        ({"model": 7}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"seed": -1}, None),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused_by_name(client: OpenAI, asked: Any, param: str | None) -> None:
    body = {"prompt": "a cat", **asked}
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/images/generations", cast_to=object, body=body)
    assert caught.value.param == param
    assert caught.value.code in ("setting_invalid", "prompt_empty", "prompt_too_long")


def test_unknown_fields_are_ignored(client: OpenAI) -> None:
    answer = client.images.generate(
        prompt="a cat", style="vivid", moderation="low", extra_body={"later": [1]}
    )
    assert answer.data


def test_models(client: OpenAI) -> None:
    listed = client.models.list()
    assert [model.id for model in listed] == ["doodle"]
    found = client.models.retrieve("doodle")
    assert (found.id, found.object, found.owned_by) == ("doodle", "model", "nonet")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-image-1/../x")
    assert caught.value.code == "model_unknown"


def test_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    with live_site(tmp_path_factory.mktemp("keys"), api_keys=["a:right"]) as live:
        with client_of(live, api_key="wrong") as client, pytest.raises(openai.AuthenticationError) as caught:
            client.images.generate(prompt="a cat")
        assert caught.value.code == "key_unknown"
        with client_of(live, api_key="right") as client:
            assert client.images.generate(prompt="a cat").data


def test_a_full_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    with live_site(tmp_path_factory.mktemp("full"), queue_max=1, drawings_together=1) as live:
        # The first leaves the line when an engine takes it, and not before: only then does the second fill it.
        assert live.post("/api/drawings", {"prompt": "gate=/nowhere"}).status == 202
        until(lambda: live.site.services.jobs.queued() == 0)
        assert live.post("/api/drawings", {"prompt": "gate=/nowhere"}).status == 202
        with client_of(live, max_retries=0) as client, pytest.raises(openai.InternalServerError) as caught:
            client.images.generate(prompt="a cat")
        assert (caught.value.status_code, caught.value.code) == (503, "queue_full")
        headers = caught.value.response.headers
        assert int(headers["retry-after"]) >= 1
        assert int(headers["retry-after-ms"]) >= 1


def test_the_client_comes_back_by_itself_when_it_was_told_to(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with live_site(tmp_path_factory.mktemp("retry"), rate_anonymous="1/4 second") as live:
        assert live.post("/api/drawings", {"prompt": "a cat"}).status == 202
        with client_of(live, max_retries=0) as client, pytest.raises(openai.RateLimitError) as caught:
            client.images.generate(prompt="a cat")
        assert caught.value.code == "rate_limited"
        with client_of(live, max_retries=5) as client:
            assert client.images.generate(prompt="a cat").data


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_cancels_its_drawing(live: LiveSite, stream: bool) -> None:
    asked: Any = {"prompt": "pause=5", "n": 9, "stream": stream}

    def ask() -> None:
        with client_of(live, max_retries=0) as client:
            answer: Any = client.with_options(timeout=0.7).images.generate(**asked)
            list(answer)

    with pytest.raises(openai.APITimeoutError):
        ask()
    until(lambda: live.site.services.dispatcher.drawing() == 0, 20)
    assert not live.site.line.waiting()


@pytest.mark.parametrize("stream", [False, True])
def test_who_sent_a_key_may_leave_and_come_back(live: LiveSite, stream: bool) -> None:
    asked: Any = {"prompt": "pause=1.5", "n": 1, "extra_headers": {"Idempotency-Key": f"leave-{stream}"}}

    def leave() -> None:
        with client_of(live, max_retries=0) as client:
            answer: Any = client.with_options(timeout=0.7).images.generate(**asked, stream=stream)
            list(answer)

    with pytest.raises(openai.APITimeoutError):
        leave()
    with client_of(live, max_retries=0) as client:
        answer = client.images.generate(**asked)
    assert answer.data


def test_a_cancelled_drawing_is_not_asked_for_again(live: LiveSite) -> None:
    import threading

    jobs = live.site.services.jobs

    def cancel() -> None:
        held = until(live.site.services.engines.flying)
        jobs.cancel(held[0].id, None)

    thread = threading.Thread(target=cancel)
    thread.start()
    with client_of(live, max_retries=5) as client, pytest.raises(openai.ConflictError) as caught:
        client.images.generate(prompt="pause=5", n=9)
    thread.join()
    assert caught.value.code == "cancelled"


def test_a_failed_drawing_is_not_asked_for_again(live: LiveSite) -> None:
    begun = time.monotonic()
    with client_of(live, max_retries=5) as client, pytest.raises(openai.InternalServerError) as caught:
        client.images.generate(prompt="nan")
    assert caught.value.code == "model_failed"
    assert time.monotonic() - begun < 20
