"""Downloads: resumed, verified, told in one sentence, against a server of our own."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from twofold.core.errors import UserError
from twofold.data import download as module
from twofold.data.download import Remote, download

DATA = bytes(range(256)) * 4000


class Server(BaseHTTPRequestHandler):
    """Serves DATA; may break off, refuse, or ignore `Range`."""

    asked: list[str]
    breaks_after: int
    resumes: bool

    def do_GET(self) -> None:
        cls = type(self)
        asked = self.headers.get("Range", "")
        cls.asked.append(asked)
        if self.path != "/data":
            self.send_error(404)
            return
        start = int(asked[6:-1]) if asked and cls.resumes else 0
        if start >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        body = DATA[start:]
        self.wfile.write(body[: cls.breaks_after] if cls.breaks_after else body)

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[type[Server], str]]:
    handler = type("Handler", (Server,), {"asked": [], "breaks_after": 0, "resumes": True})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield handler, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def remote(home: str, name: str = "data", digest: str = "") -> Remote:
    return Remote("file", f"{home}/{name}", digest or "sha256:" + hashlib.sha256(DATA).hexdigest())


def test_a_file_comes_whole_and_only_once(server: tuple[type[Server], str], tmp_path: Path) -> None:
    handler, home = server
    seen: list[tuple[int, int]] = []
    path = download(remote(home), tmp_path / "deep" / "er", lambda *done: seen.append(done))
    assert path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert download(remote(home), tmp_path / "deep" / "er") == path
    assert len(handler.asked) == 1
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_md5_is_known_too(server: tuple[type[Server], str], tmp_path: Path) -> None:
    digest = "md5:" + hashlib.md5(DATA).hexdigest()
    assert download(remote(server[1], digest=digest), tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("resumes", [True, False])
def test_a_broken_download_goes_on(
    resumes: bool, server: tuple[type[Server], str], tmp_path: Path
) -> None:
    handler, home = server
    handler.resumes, handler.breaks_after = resumes, 300_000
    with pytest.raises(UserError, match="cannot be fetched"):
        download(remote(home), tmp_path)
    assert not (tmp_path / "file").exists()
    handler.breaks_after = 0
    assert download(remote(home), tmp_path).read_bytes() == DATA
    assert handler.asked == ["", "bytes=300000-"]


def test_a_partial_file_that_is_whole_is_used(
    server: tuple[type[Server], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, home = server
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(UserError, match="cannot be written"):
            download(remote(home), tmp_path)
    assert download(remote(home), tmp_path).read_bytes() == DATA
    assert handler.asked[-1] == f"bytes={len(DATA)}-"


def test_another_file_is_refused_and_removed(
    server: tuple[type[Server], str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="hash differs"):
        download(remote(server[1], digest="sha256:" + "0" * 64), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_such_file_and_no_network(server: tuple[type[Server], str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Not Found"):
        download(remote(server[1], "none"), tmp_path)
    with pytest.raises(UserError, match="put the file into"):
        download(remote("http://127.0.0.1:9"), tmp_path)


def test_a_place_that_cannot_be_written(server: tuple[type[Server], str], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        download(remote(server[1]), tmp_path / "taken" / "folder")
