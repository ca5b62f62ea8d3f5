"""A better sampler is fitted to a finished run, kept, used, and noticed when it no longer fits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import twofold
from tests.stories.commands import inside, refused, settings
from twofold.core.game import Decodes
from twofold.nets.expost import Bank
from twofold.nets.priors import StandardNet
from twofold.runs.run import Run
from twofold.train import checkpoint

QUICK = '{name = "gmm", most = 1}'
RAE = ["--set", "model.encoder={name = 'dense', width = 16, depth = 1}"]
RAE += ["--set", "model.decoder={name = 'dense', width = 16, depth = 1}"]
RAE += ["--set", "model.latent=3", "--set", "model.density={name = 'gmm', most = 2}"]
TRAIN = ["--set", "train.steps=4", "--set", "train.batch=16", "--set", "train.best=none"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VAE of the digits, a few steps old."""
    folder = tmp_path_factory.mktemp("prior") / "run"
    small = settings("vae", steps=4, batch=16, best="none")
    made = inside("fit", "digits", *small, "--set", "model.latent=3", "--out", folder, "--quiet")
    assert made.status == 0, made.err
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


def prior_of(folder: Path, **opening: object) -> object:
    model = Run.open(folder, **opening).model  # type: ignore[arg-type]
    return model.prior_net


def grid(folder: Path, out: Path, *more: str) -> bytes:
    told = inside("sample", folder, "-n", "9", "--out", out, *more)
    assert told.status == 0, told.err
    return (out / "grid.png").read_bytes()


@pytest.mark.parametrize(
    "fit",
    [
        QUICK,
        '{name = "vamp", most = 16}',
        '{name = "two-stage", width = 8, steps = 4}',
        '{name = "flow", width = 8, transforms = 1, steps = 2}',
    ],
)
def test_a_fitted_prior_is_kept_and_drawn_from(fit: str, run: Path, tmp_path: Path) -> None:
    before = grid(run, tmp_path / "before")
    told = inside("prior", run, "--fit", fit, "--json")
    assert told.status == 0, told.err
    likelihood, distance = json.loads(told.out)
    assert (likelihood["name"], distance["name"]) == ("code_log_likelihood", "fd_tiny-v1")
    assert {likelihood["split"], distance["split"]} == {"validation"}
    assert {likelihood["baseline_name"], distance["baseline_name"]} == {"own prior"}
    assert likelihood["value"] != likelihood["baseline"]
    assert distance["value"] != distance["baseline"]
    assert grid(run, tmp_path / "after") != before
    assert grid(run, tmp_path / "own", "--prior", "own") == before
    assert isinstance(prior_of(run, prior="own"), StandardNet)


def test_it_is_said_where_codes_come_from(run: Path, tmp_path: Path) -> None:
    assert inside("sample", run, "-n", "2", "--out", tmp_path / "a").err == ""
    inside("prior", run, "--fit", QUICK)
    drawn = inside("sample", run, "-n", "2", "--out", tmp_path / "b")
    assert "drawn from the fitted prior, gmm: 1 Gaussian for each of 10 conditions" in drawn.err
    own = inside("interpolate", run, "--prior", "own", "--out", tmp_path / "c")
    assert "not from the fitted gmm" in own.err
    measured = inside("measure", run, "--measures", "fd_tiny-v1", "-n", "60", "--quiet")
    assert "fitted prior, gmm" in measured.err
    kept = json.loads((run / "measures.json").read_text())
    assert "fitted prior, gmm" in kept["said"][0]


def test_what_is_drawn_differs_by_prior_in_measures_too(run: Path, tmp_path: Path) -> None:
    inside("prior", run, "--fit", QUICK)
    figures = [
        twofold.measure(run, measures=["elbo", "fd_tiny-v1"], n=60, prior=prior, out=tmp_path)
        for prior in ("own", "fitted")
    ]
    for own, fitted in zip(*figures, strict=True):
        assert own.name == fitted.name
        assert own.value != fitted.value


def test_training_on_makes_it_stale_and_that_is_said(run: Path, tmp_path: Path) -> None:
    inside("prior", run, "--fit", QUICK)
    own = grid(run, tmp_path / "a", "--prior", "own")
    assert grid(run, tmp_path / "b") != own
    resumed = inside("resume", run, "--steps", "6")
    assert resumed.status == 0, resumed.err
    said = (run / "log.jsonl").read_text()
    assert "the fitted prior will be stale" in said
    drawn = inside("sample", run, "-n", "2", "--out", tmp_path / "c")
    assert "stale, it was fitted to the codes of the average weights at step 4" in drawn.err
    assert isinstance(prior_of(run), StandardNet)
    refused(
        inside("sample", run, "--prior", "fitted", "--out", tmp_path / "d"),
        "stale", f"twofold prior {run} --fit gmm",
    )  # fmt: skip
    again = inside("prior", run, "--fit", QUICK)  # a stale one is replaced unasked
    assert again.status == 0, again.err
    assert isinstance(prior_of(run, prior="fitted"), Bank)


def test_it_does_not_fit_other_weights(run: Path, tmp_path: Path) -> None:
    inside("prior", run, "--fit", QUICK)
    drawn = inside("sample", run, "-n", "2", "--weights", "last", "--out", tmp_path / "a")
    assert "stale" in drawn.err
    assert isinstance(prior_of(run, weights="last"), StandardNet)


def test_one_that_fits_is_replaced_only_when_asked(run: Path) -> None:
    inside("prior", run, "--fit", QUICK)
    before = (run / "prior.safetensors").read_bytes()
    refused(inside("prior", run, "--fit", '{name = "vamp", most = 8}'), "(gmm)", "--again")
    assert (run / "prior.safetensors").read_bytes() == before
    assert inside("prior", run, "--fit", '{name = "vamp", most = 8}', "--again").status == 0
    assert (run / "prior.safetensors").read_bytes() != before


def test_without_one_it_cannot_be_asked_for(run: Path, tmp_path: Path) -> None:
    refused(
        inside("sample", run, "--prior", "fitted", "--out", tmp_path / "a"),
        "keeps no fitted prior", "--fit gmm",
    )  # fmt: skip
    refused(inside("prior", run, "--fit", "gnm"), "'gnm' is not known", "gmm")


def test_a_gan_has_nothing_to_fit_to(tmp_path: Path) -> None:
    small = settings("gan", steps=2, batch=16, best="none")
    inside("fit", "digits", "--model", "gan", *small, "--out", tmp_path / "gan", "--quiet")
    refused(inside("prior", tmp_path / "gan"), "gan has no encoder", "no codes")
    assert not (tmp_path / "gan" / "prior.safetensors").exists()


def test_what_is_kept_is_data_with_a_hash(run: Path) -> None:
    inside("prior", run, "--fit", QUICK)
    with safe_open(run / "prior.safetensors", "pt") as file:
        about = json.loads(file.metadata()["about"])
    record = json.loads((run / "state.json").read_text())
    assert about["fit"] == {"name": "gmm", "most": 1, "rows": 20000}
    assert about["sha256"] == record["files"]["average.safetensors"]
    assert [figure["name"] for figure in about["figures"]] == ["code_log_likelihood", "fd_tiny-v1"]
    data = bytearray((run / "prior.safetensors").read_bytes())
    data[-1] ^= 1
    (run / "prior.safetensors").write_bytes(data)
    refused(inside("sample", run), "prior.safetensors is damaged")


def test_a_write_cut_short_leaves_the_old_one(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written when the power fails, the run opens with one prior or the other."""
    inside("prior", run, "--fit", QUICK)
    record, old = (run / "state.json").read_bytes(), (run / "prior.safetensors").read_bytes()
    tensors = {"logits": torch.zeros(1)}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "replace", stop)  # the new file is there, the record is not
    with pytest.raises(KeyboardInterrupt):
        checkpoint.attach(run, "prior.safetensors", tensors, {})
    monkeypatch.undo()
    assert checkpoint.about(run, "prior.safetensors")["fit"]["name"] == "gmm"
    assert (run / "prior.safetensors").read_bytes() == old
    assert (run / "state.json").read_bytes() == record
    checkpoint.recover(run)  # as who writes does first
    monkeypatch.setattr(checkpoint, "recover", lambda folder: stop() if fresh(folder) else None)
    with pytest.raises(KeyboardInterrupt):  # the record is there, the rename is not
        checkpoint.attach(run, "prior.safetensors", tensors, {"new": 1})
    monkeypatch.undo()
    assert checkpoint.about(run, "prior.safetensors") == {"new": 1}


def fresh(folder: Path) -> bool:
    return any(folder.glob("*.next"))


def test_an_autoencoder_of_points_draws_as_soon_as_it_is_trained(tmp_path: Path) -> None:
    """`fit` ends with a mixture fitted to its codes; so does `resume`."""
    run = tmp_path / "rae"
    made = inside("fit", "digits", "--model", "rae", *RAE, *TRAIN, "--out", run, "--quiet")
    assert made.status == 0, made.err
    assert isinstance(prior_of(run), Bank)
    drawn = inside("sample", run, "-n", "4", "--out", tmp_path / "a")
    assert "fitted prior, gmm" in drawn.err
    before = (run / "prior.safetensors").read_bytes()
    assert inside("resume", run, "--steps", "6", "--quiet").status == 0
    assert (run / "prior.safetensors").read_bytes() != before
    assert isinstance(prior_of(run, prior="fitted"), Bank)
    refused(inside("prior", run, "--fit", "vamp", "--again"), "vamp", "diagonal Gaussians")


def test_a_ladder_takes_a_fitted_prior_of_all_its_layers(tmp_path: Path) -> None:
    run = tmp_path / "ladder"
    made = inside("fit", "digits", "--model", "ladder", *RAE[:4], *TRAIN, "--out", run, "--quiet")
    assert made.status == 0, made.err
    assert inside("prior", run, "--fit", QUICK).status == 0
    model = Run.open(run).model
    assert isinstance(model, Decodes)
    assert model.prior_net.mu.shape[1] == model.latent  # type: ignore[union-attr]
    assert inside("sample", run, "-n", "4", "--out", tmp_path / "a").status == 0
    assert inside("measure", run, "--measures", "elbo", "-n", "40", "--quiet").status == 0


def test_without_validation_data_a_tenth_of_the_codes_decides(tmp_path: Path) -> None:
    small = settings("vae", steps=2, batch=16, best="none")
    split = ["--set", "data.split={validation = 0.0, test = 0.1}"]
    run = tmp_path / "run"
    assert inside("fit", "digits", *small, *split, "--out", run, "--quiet").status == 0
    (figure,) = twofold.prior(run, fit={"name": "gmm", "most": 2})
    assert figure.name == "code_log_likelihood"
    assert figure.n > 100


# What a reader is told.


def pages(run: Path) -> list[str]:
    told = inside("measure", run, "--measures", "elbo", "-n", "40")
    assert told.status == 0, told.err
    return [(run / name).read_text() for name in ("report.html", "card.md")]


def test_the_report_names_the_fitted_prior_and_says_when_it_is_stale(run: Path) -> None:
    for page in pages(run):
        assert "Fitted prior" not in page
    inside("prior", run, "--fit", QUICK)
    for page in pages(run):
        assert "gmm, fitted to the codes of the average weights at step 4" in page
        assert "codes are drawn from the fitted prior, gmm: 1 Gaussian for each of 10" in page
    assert "<p>Codes are drawn from the fitted prior" in (run / "report.html").read_text()
    assert "fitted prior, gmm" in repr(Run.open(run))
    inside("resume", run, "--steps", "6")
    for page in pages(run):
        assert "the fitted prior is stale, it was fitted" in page
        assert "codes are drawn from the fitted prior" not in page


def test_a_comparison_says_where_codes_come_from(run: Path, trained: Path, tmp_path: Path) -> None:
    inside("prior", run, "--fit", QUICK)
    page = tmp_path / "page.html"
    told = inside("compare", run, trained, "-n", "40", "--out", page)
    assert told.status == 0, told.err
    assert "run: codes are drawn from the fitted prior, gmm" in page.read_text()


def test_a_comparison_shows_how_far_seeds_agree(trained: Path, tmp_path: Path) -> None:
    small = settings("vae", steps=4, batch=16, best="none")
    options = [*small, "--set", "model.latent=3", "--seeds", "2", "--quiet"]
    made = inside("fit", "digits", *options, "--out", tmp_path / "runs")
    assert made.status == 0, made.err
    last = tmp_path / "runs" / "seed-1"
    kept = json.loads((last / "seeds.json").read_text())["figures"]
    (known,) = [figure for figure in kept if figure["name"] == "udr"]
    page = tmp_path / "page.html"
    told = inside("compare", last, trained, "-n", "40", "--out", page, "--json")
    assert told.status == 0, told.err
    figures = [row for row in json.loads(told.out)["figures"][str(last)] if row["name"] == "udr"]
    assert [row["value"] for row in figures] == [known["value"]]
    assert "udr" in page.read_text()
