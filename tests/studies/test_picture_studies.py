"""The image studies of GANs: what their bars are made of, and the faults that they see."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from twofold.core.space import Bounded, Field, Space
from twofold.maths.augmentations import Adaptive
from twofold.models.stylegan import StyleGAN
from twofold.nets.bodies import Conv
from twofold.nets.critics import Critic
from twofold.nets.scales import Widths
from twofold.runs.recipe import load_recipe
from twofold.studies import (
    biggan,
    dcgan_features,
    default_recipes,
    few_images,
    progressive,
    style_based,
    vaegan_sharpness,
)
from twofold.studies.garments import blocks

PICTURE = Space((Field("pixel", Bounded(0, 255, 256)),), (14, 14))


def test_blocks_keep_the_mean_of_what_is_inside() -> None:
    x = torch.randint(0, 256, (3, 1, 28, 28)).float()
    assert (blocks(x, 14).mean() - x.mean()).abs() < 0.5
    assert (blocks(x, 28) == x).all()
    assert blocks(x, 32)[:, :, 2:-2, 2:-2].equal(x)


# dcgan-features


def test_features_are_those_of_every_size_in_sixteen_cells() -> None:
    critic = Critic(Conv(4, blocks=0), PICTURE, Space(), 8, False)
    x = torch.rand(5, 1, 14, 14)
    phi = dcgan_features.features(critic, x)
    assert phi.shape == (5, 16 * (4 + 8 + 16))
    (last,) = critic.body.levels(x, torch.zeros(5, 0))[-1:]  # type: ignore[operator]
    assert phi[:, -16 * 16 :].equal(last.flatten(1))


def test_levels_end_where_the_body_reads() -> None:
    body = Conv(4).down(PICTURE, Space(), 3)
    x, c = torch.rand(2, 1, 14, 14), torch.zeros(2, 0)
    out = body.read(body.act(body.levels(x, c)[-1]))  # type: ignore[operator]
    assert out.equal(body(x, c))


def test_a_linear_classifier_sees_what_is_linear_and_not_what_is_not() -> None:
    torch.manual_seed(0)
    x = torch.randn(400, 2)
    linear, crossed = (x.sum(1) > 0).long(), (x.prod(1) > 0).long()
    assert dcgan_features.error(x[:200], linear[:200], x[200:], linear[200:]) < 5
    assert dcgan_features.error(x[:200], crossed[:200], x[200:], crossed[200:]) > 25


# vaegan-sharpness


def test_blur_and_noise_are_as_far_from_one() -> None:
    assert vaegan_sharpness.off(0.25) == pytest.approx(vaegan_sharpness.off(4.0))
    assert vaegan_sharpness.off(1.0) == 0


# few-images


def squares(n: int) -> torch.Tensor:
    """Bright squares of one size in the middle, of many brightnesses."""
    x = torch.zeros(n, 1, 14, 14)
    x[..., 3:11, 3:11] = 0.6 + 0.4 * torch.rand(n, 1, 1, 1)
    return x + 0.02 * torch.rand_like(x)


def test_the_detector_sees_a_leak_and_no_other() -> None:
    torch.manual_seed(0)
    x = squares(600)
    detector = few_images.Detector.fit(
        x, few_images.transformed(x, few_images.POLICIES["adaptive"], 0)
    )
    assert detector(squares(300)) < 0.2
    assert detector(few_images.transformed(squares(300), few_images.POLICIES["adaptive"], 1)) > 0.6


def test_a_leak_is_counted_beyond_what_no_augmentation_shows() -> None:
    none = [
        few_images.Seen(9.0, 1.0, {"adaptive": 0.5}),
        few_images.Seen(9.0, 1.0, {"adaptive": 0.4}),
    ]
    same = few_images.leak(100, "adaptive", none, none)
    leaked = few_images.leak(
        100, "adaptive", none, [few_images.Seen(9.0, 1.0, {"adaptive": 0.8})] * 2
    )
    assert same.holds
    assert not leaked.holds
    assert leaked.ours == pytest.approx(0.35)


def test_adaptive_augmentation_hears_a_relativistic_critic() -> None:
    """Logits of 5 say nothing where those of draws are 5 as well."""
    from twofold.maths.adversarial import NonSaturating, Relativistic
    from twofold.maths.contests import sureness

    real, fake = 5 + torch.linspace(-1, 1, 10), 5 + torch.linspace(-1, 1, 10)
    assert sureness(NonSaturating(), real, fake).sign().mean() == 1
    assert sureness(Relativistic(), real, fake).sign().mean() == 0
    assert sureness(Relativistic(), real + 3, fake).sign().mean() == 1
    assert Adaptive().target < 1


# biggan


def test_an_order_that_one_seed_breaks_does_not_hold() -> None:
    assert biggan.ordered("a", [0.1, 0.0]).holds
    assert not biggan.ordered("a", [0.1, -0.01]).holds
    assert biggan.steps([-3.0, -2.0, -2.5]) == -0.5


def test_variety_is_that_within_a_class() -> None:
    assert biggan.apart(torch.tensor([[0.0], [3.0]])) == 3
    assert biggan.apart(torch.zeros(1, 2)) == 0


# style-based


def stylegan() -> StyleGAN:
    torch.manual_seed(0)
    return StyleGAN(PICTURE, Space(), latent=8, widths=Widths(4, 2))


def test_fine_layers_are_the_last_three_and_shares_are_of_the_change_by_all() -> None:
    model = stylegan()
    assert style_based.late(model).tolist() == [False] * 3 + [True] * 3
    change = torch.randn(2, 1, 14, 14)
    coarse, detail = style_based.bands(model, change).tolist()
    assert coarse + detail == pytest.approx(float(change.square().mean()), rel=1e-4)
    even = torch.ones(2, 1, 14, 14)
    assert style_based.bands(model, even).tolist() == pytest.approx([1.0, 0.0])


def test_a_mapping_that_is_a_line_has_one_length() -> None:
    """Where w = z, half of a great circle is longer than its chord, and never shorter."""
    a, b = torch.randn(50, 8), torch.randn(50, 8)
    t = torch.rand(50)
    step = style_based.great_circle(a, b, t + 1e-2) - style_based.great_circle(a, b, t)
    chord = 1e-2 * (b - a)
    assert float(step.square().sum()) > float(chord.square().sum())


# progressive


def test_the_spread_is_a_ratio_of_deviations() -> None:
    full = [progressive.Seen(v, 1.0, 1.0, 0.0) for v in (8.0, 10.0, 12.0)]
    calm = [progressive.Seen(v, 1.0, 1.0, 0.0) for v in (9.0, 10.0, 11.0)]
    row = progressive.spread("a", calm, full)
    assert row.ours == pytest.approx(0.5)
    assert row.low < 0.5 < row.high
    assert row.holds
    assert not progressive.spread("a", full, calm).holds


# default-recipes


def test_every_image_recipe_of_a_gan_is_tried() -> None:
    names = default_recipes.packaged()
    assert {"dcgan", "biggan", "ada", "stylegan-images", "aae-images", "gan-images"} <= set(names)
    assert not {"vae-images", "gan-table", "demo-gan", "ctgan", "aae-molecules"} & set(names)


def test_a_recipe_works_with_every_class_and_half_the_recall() -> None:
    good, lost, narrow = (
        default_recipes.Seen(*v, 50.0) for v in ((10, 0.4, 0.7), (9, 0.7, 0.7), (10, 0.3, 0.7))
    )
    assert [seen.works for seen in (good, lost, narrow)] == [True, False, False]
    assert default_recipes.of_recipe("a", [good, good, lost])[0].holds
    assert not default_recipes.of_recipe("a", [good, lost, lost])[0].holds


def test_a_run_whose_time_is_up_is_not_trained_again(
    tmp_path: Path, named: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    named("fashion-mnist")
    from twofold.studies import garments, kept

    data = garments.opened(7, labels=True, most=100)
    recipe = default_recipes.narrowed(load_recipe("lsgan")["model"], 8), {"minutes": 1e-9}

    def step() -> int:
        run = garments.trained(*recipe, data, 0, tmp_path / "lsgan")
        return int(run.record["step"])

    first = step()
    monkeypatch.setattr(kept, "start", None)
    monkeypatch.setattr(kept, "go_on", None)
    assert step() == first < 1000
