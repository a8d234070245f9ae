from __future__ import annotations

import pytest
import torch

from nonet.data.composer import Composer
from nonet.data.plan import CANVAS, Backdrop, Mixture, Part, Plan
from nonet.data.sprites import Sprites, open_sprites
from nonet.model.layout import Placed
from nonet.model.phrases import Scene, thing
from nonet.model.words import COLOURS as NAMED
from tiny_collection import COLOURS, write_tiny_collection

APPLE, HAT = 0, 3


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Sprites:
    return open_sprites(write_tiny_collection(tmp_path_factory.mktemp("collection")))


@pytest.fixture(scope="module")
def composer(sprites: Sprites) -> Composer:
    return Composer(sprites)


def plan_of(*parts: Part, backdrop: Backdrop = Backdrop()) -> Plan:  # noqa: B008
    return Plan(Scene((thing("apple"),)), "an apple", parts, backdrop)


def part(
    sprite: int, *, x: float = 128, y: float = 128, side: float = 256, **how: float | bool | str
) -> Part:
    return Part(0, sprite, "apple", Placed(0), x, y, side, **how)  # type: ignore[arg-type]


def test_a_batch_is_decided_by_the_generator(composer: Composer) -> None:
    generator = torch.Generator().manual_seed(5)
    first = composer.batch(6, generator)
    state = generator.get_state()
    second = composer.batch(6, generator)
    generator.set_state(state)
    again = composer.batch(6, generator)
    assert again.captions == second.captions != first.captions
    assert again.plans == second.plans
    assert torch.equal(again.pixels_BHWC, second.pixels_BHWC)


def test_pixels_are_floats_between_zero_and_one(composer: Composer) -> None:
    batch = composer.batch(8, torch.Generator().manual_seed(0))
    assert batch.pixels_BHWC.shape == (8, 256, 256, 3)
    assert batch.pixels_BHWC.dtype == torch.float32
    assert batch.pixels_BHWC.min() >= 0
    assert batch.pixels_BHWC.max() <= 1
    assert len(batch.captions) == len(batch.plans) == 8


def test_a_thing_that_fills_the_canvas_is_copied_pixel_by_pixel(composer: Composer, sprites: Sprites) -> None:
    painted = composer.paint([plan_of(part(APPLE))])[0]
    source = sprites.pixels_NHW4[APPLE].float() / 255
    expected = source[..., :3] * source[..., 3:] + 1 - source[..., 3:]
    assert torch.allclose(painted[16:240, 16:240], expected, atol=1e-3)
    assert (painted[:16] == 1).all()


def test_small_things_keep_their_place_size_and_colour(composer: Composer) -> None:
    painted = composer.paint([plan_of(part(APPLE, x=72, y=184, side=144))])[0]
    seen = painted.sum(-1) < 2.5
    rows, cols = seen.any(1).nonzero(), seen.any(0).nonzero()
    # The disc's radius is 100 of 224 pixels, and its square is 126 pixels here.
    assert rows.min().item() == pytest.approx(184 - 56, abs=1.5)
    assert rows.max().item() == pytest.approx(184 + 56, abs=1.5)
    assert cols.min().item() == pytest.approx(72 - 56, abs=1.5)
    assert torch.allclose(painted[184, 72], torch.tensor(COLOURS["red"]) / 255, atol=0.01)


def test_flip_and_turn(composer: Composer) -> None:
    # The hat is the top quarter of its square: a quarter turn to the left brings it to the left side.
    upright, turned, flipped = composer.paint(
        [plan_of(part(HAT)), plan_of(part(HAT, turn=90.0)), plan_of(part(HAT, x=100, flip=True))]
    )
    assert (upright[16:70, 128] < 0.9).any(-1).all()
    assert (turned[128, 20:70] < 0.9).any(-1).all()
    assert (turned[16:70, 200] == 1).all()
    assert torch.allclose(
        flipped[30, 10:200], composer.paint([plan_of(part(HAT, x=100))])[0, 30, 10:200], atol=1e-4
    )


def test_later_parts_lie_in_front(composer: Composer) -> None:
    painted = composer.paint([plan_of(part(APPLE), part(HAT, y=180, side=144))])[0]
    assert torch.allclose(painted[135, 128], torch.tensor(COLOURS["green"]) / 255, atol=0.02)


def test_backdrops(composer: Composer) -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    plain, across, up, picture = composer.paint(
        [
            plan_of(backdrop=Backdrop("plain", (red, red))),
            plan_of(backdrop=Backdrop("gradient", (red, blue))),
            plan_of(backdrop=Backdrop("gradient", (red, blue), angle=90)),
            plan_of(backdrop=Backdrop("picture", picture=1)),
        ]
    )
    assert (plain == torch.tensor([1.0, 0, 0])).all()
    assert across[0, 0, 0] > across[0, -1, 0]
    assert up[-1, 0, 0] > up[0, 0, 0]
    assert torch.allclose(picture, torch.full((256, 256, 3), 120 / 255), atol=1e-5)


@pytest.mark.parametrize(
    "name", ["green", "blue", "yellow", "purple", "brown", "black", "white", "gray", "pink"]
)
def test_painting_a_thing_in_a_colour(composer: Composer, name: str) -> None:
    painted = composer.paint([plan_of(part(APPLE, colour=name))])[0, 128, 128]
    wanted = torch.tensor(NAMED[name]) / 255
    assert (painted - wanted).abs().max() < 0.12


def test_crops(sprites: Sprites) -> None:
    whole, cut = Composer(sprites), Composer(sprites, size=128)
    full = whole.batch(3, torch.Generator().manual_seed(2))
    crop = cut.batch(3, torch.Generator().manual_seed(2))
    assert crop.captions == full.captions
    assert crop.pixels_BHWC.shape == (3, 128, 128, 3)
    windows = full.pixels_BHWC[0].unfold(0, 128, 1).unfold(1, 128, 1)
    assert (windows[::1, ::1, :, 0, 0] == crop.pixels_BHWC[0, 0, 0]).all(-1).any()


def test_only_singles(sprites: Sprites) -> None:
    composer = Composer(sprites, mixture=Mixture(single=1, pair=0, many=0, background=0, exact=1.0))
    plans = composer.plan(20, torch.Generator().manual_seed(1))
    assert {plan.kind for plan in plans} == {"single"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_paints_the_same(sprites: Sprites, composer: Composer) -> None:
    plans = composer.plan(16, torch.Generator().manual_seed(9))
    there = Composer(sprites, device="cuda").paint(plans).cpu()
    assert (there - composer.paint(plans)).abs().max() < 2 / CANVAS
