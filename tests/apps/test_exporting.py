"""The job `export`: graphs that answer as their run does, run by ONNX Runtime alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import twofold
from tests.stories.commands import inside, refused, settings
from twofold.apps import exporting, graphs
from twofold.apps.graphs import ABOUT, Graph
from twofold.apps.pieces import farthest
from twofold.core.errors import UserError

INSTALLED = pytest.mark.skipif(not graphs.installed(), reason="onnx, onnxscript or onnxruntime")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table with a gap, a category, and a label that is given."""
    root = tmp_path_factory.mktemp("export")
    stream = np.random.default_rng(0)
    lines = [
        f"{a:.3f},{'' if i % 9 == 0 else f'{a * 2 + b:.3f}'},{'xyz'[i % 3]},{'ny'[i % 5 == 0]}"
        for i, (a, b) in enumerate(stream.standard_normal((160, 2)))
    ]
    data = root / "rows.csv"
    data.write_text("\n".join(["first,second,letter,ill", *lines]) + "\n", encoding="utf-8")
    words = [*settings("vae", steps=60, batch=32, evaluate=1000), "--set", "model.latent=2"]
    made = inside(
        "fit", data, *words, "--set", 'data.given=["ill"]', "--out", root / "run", "--quiet"
    )
    assert made.status == 0, made.err
    return root / "run"


def values_of(run: Path, count: int = 40) -> dict[str, np.ndarray]:
    """The first rows of the run's data, as a graph takes them."""
    opened = twofold.load(run)
    rows = opened.source(run.parent / "rows.csv").read(torch.arange(count))
    return {"values": rows.values.float().numpy(), "given": rows.given.float().numpy()}


@INSTALLED
def test_a_scorer_travels_with_its_calibration(run: Path, tmp_path: Path) -> None:
    """The graph alone says of every row what `score` says of the same terms."""
    import onnxruntime

    out = tmp_path / "ill.onnx"
    known = ["--labels", "ill", "--positive", "y", "--rate", "0.1"]
    told = inside("export", run, *known, "--out", out, "--json")
    assert told.status == 0, told.err
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == ["values"]  # `ill` is not looked at
    found = session.run(None, {"values": values_of(run)["values"]})
    about = json.loads(session.get_modelmeta().custom_metadata_map[ABOUT])
    assert about == json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert about["checked"]["difference"] <= 1e-4
    assert [one["name"] for one in about["values"]] == ["first", "second", "letter"]
    terms = [word for name in about["terms"] for word in ("--by", name)]
    words = ["score", run, run.parent / "rows.csv", *terms, *known]
    scored = inside(*words, "--out", tmp_path / "scores")
    assert scored.status == 0, scored.err
    table = np.genfromtxt(tmp_path / "scores" / "scores.csv", delimiter=",", names=True, dtype=None)
    normal = np.array(about["normal_scores"])
    theirs = {name: table[name][:40].astype(float) for name in ("score", "p", *about["terms"])}
    tied = np.abs(normal - theirs["score"][:, None]).min(1) < 1e-3  # p of a normal row may go up
    assert tied.mean() < 0.5
    for name, ours in zip(("score", "p", "abnormal", *about["terms"]), found, strict=True):
        if name != "abnormal":
            apart = np.abs(ours - theirs[name])[~tied]
            assert (apart <= 2e-4 * np.abs(theirs[name]).clip(1)[~tied]).all(), name
    assert found[1] == pytest.approx((1 + (normal >= found[0][:, None]).sum(1)) / (1 + len(normal)))
    assert (found[2] == (found[0] > about["threshold"])).all()


@INSTALLED
@pytest.mark.parametrize("what", ["encoder", "decoder"])
def test_the_halves_of_an_autoencoder_are_graphs(run: Path, what: str, tmp_path: Path) -> None:
    done = twofold.export(run, what=what, out=tmp_path / "half.onnx")
    assert done.about["checked"]["difference"] <= 1e-4
    graph = Graph(done.paths[0].read_bytes(), tuple(done.about["outputs"]))
    rows = values_of(run, 7)
    if what == "encoder":
        z = twofold.load(run).encode(run.parent / "rows.csv")[:7]
        assert graph({k: torch.from_numpy(v) for k, v in rows.items()})[
            "z"
        ].numpy() == pytest.approx(z, abs=1e-4)
    else:
        drawn = graph({"z": torch.randn(7, 2), "given": torch.from_numpy(rows["given"])})
        assert drawn["values"].shape == (7, 3)
        assert set(drawn["values"][:, 2].tolist()) <= {0.0, 1.0, 2.0}


@INSTALLED
def test_a_graph_that_is_not_the_run_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One number of one row that is off by 3e-4 is enough."""

    def off(self: Graph, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        found = Graph.__call__(self, inputs)
        found["z"][3, 1] += 3e-4
        return found

    class Off(Graph):
        __call__ = off  # type: ignore[assignment]

    monkeypatch.setattr(exporting, "Graph", Off)
    with pytest.raises(UserError, match=r"differ by 0\.0003 on held-out rows"):
        twofold.export(run, what="encoder", out=tmp_path / "off.onnx")
    assert not list(tmp_path.iterdir())


@INSTALLED
def test_what_no_graph_does_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """In a sentence, and without what the exporter prints."""

    class Branches(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (x if x.sum() > 0 else -x,)

    with pytest.raises(UserError, match="cannot be written as a graph"):
        Graph.of(Branches(), {"x": torch.randn(3, 2)}, ["y"])
    assert capfd.readouterr() == ("", "")


@INSTALLED
@pytest.mark.parametrize("what", ["encoder", "decoder", "scorer"])
def test_a_run_of_sentences_is_refused_in_words_of_its_own(what: str, tmp_path: Path) -> None:
    """And none of a compiler."""
    words = tmp_path / "words.txt"
    each = [f"{a} {b} {c} on {d}\n" for a in "abc" for b in "defg" for c in "hijk" for d in "lmno"]
    words.write_text("".join(each))
    made = inside("fit", words, "--set", "train.steps=2", "--quiet", "--out", tmp_path / "run")
    assert made.status == 0, made.err
    answer = inside("export", tmp_path / "run", "--what", what, "--out", tmp_path / "g.onnx")
    refused(answer, "cannot be written as a graph: what it computes depends on the rows")
    assert "zuf" not in answer.err
    assert "guard" not in answer.err


def test_mistakes_are_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "check_installed", lambda: None)
    draws = inside("export", run, "--by", "reconstruction")
    refused(draws, "--by reconstruction cannot be exported: it draws codes", "mean_reconstruction")
    refused(inside("export", run, "--out", tmp_path / "scorer"), "no .onnx file")
    (tmp_path / "scorer.json").write_text("{}", encoding="utf-8")
    refused(inside("export", run, "--out", tmp_path / "scorer.onnx"), "scorer.json exists")
    assert [path.name for path in tmp_path.iterdir()] == ["scorer.json"]


def test_without_the_packages_one_sentence_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "PACKAGES", ("onnx_of_nowhere",))
    refused(inside("export", run), 'pip install "twofold[export]"')


def test_what_is_no_number_is_as_far_as_can_be() -> None:
    assert farthest(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 2.0])) == torch.inf
    assert farthest(torch.tensor([torch.nan]), torch.tensor([torch.nan])) == 0
