"""The development server: a folder, or a painted photograph, on this machine alone."""

from __future__ import annotations

import os
import sys
import threading
import tomllib
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from resizer_node import PHOTO
from resizer_picture import opened

from resizer import development, showroom
from resizer.client import url
from resizer.config import Config, read
from resizer.errors import ConfigError, ToolError
from resizer.samples import samples

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry for mod_wsgi builds its application when it is imported: so it is imported anew."""
    monkeypatch.delitem(sys.modules, "resizer.wsgi", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    originals = tmp_path / 'quo"ted'
    (originals / "b").mkdir(parents=True)
    (originals / "b" / "a b.jpg").write_bytes(PHOTO)
    return originals


def test_a_folder_is_served_to_anybody_and_its_cache_is_removed(folder: Path) -> None:
    with development.configured(folder, None) as toml:
        config = read(toml)
        assert (config.folder, config.unsigned) == (folder, True)
        config.cache_dir.mkdir()
    assert not config.cache_dir.exists()
    assert folder.is_dir()


def test_without_a_folder_there_is_a_painted_photograph_which_is_removed_whatever_ends_it() -> None:
    painted: list[Path] = []

    def fail() -> None:
        with development.configured(None, None) as toml:
            painted.append(read(toml).folder or Path())
            assert opened((painted[0] / development.PAINTED).read_bytes()).format == "JPEG"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not painted[0].exists()


def test_a_configuration_is_taken_as_it_is(tmp_path: Path) -> None:
    toml = tmp_path / "node.toml"
    toml.write_text('bucket = "photos"\n')
    with development.configured(None, toml) as taken:
        assert taken == toml
    assert toml.exists()


def test_a_wrong_configuration_and_a_folder_that_is_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('buckett = "photos"\n')
    with pytest.raises(ConfigError), development.configured(None, tmp_path / "bad.toml"):
        pass
    with pytest.raises(ToolError, match="no such folder"), development.configured(tmp_path / "absent", None):
        pass
    with pytest.raises(ToolError, match="both"), development.configured(tmp_path, tmp_path / "bad.toml"):
        pass


def test_what_to_try_is_what_the_configuration_admits(folder: Path) -> None:
    config = Config(folder=folder, presets={"tiny": "w9"})
    signed = Config(folder=folder, presets={}, signing_keys=("0123456789abcdef",))
    shut = Config(bucket="photos", presets={"tiny": "w9"}, unsigned=True, presets_only=True)
    assert development.links("http://x", config) == ("http://x/tiny/b/a%20b.jpg", "http://x/health")
    assert development.links("http://x", shut) == ("http://x/tiny/photo.jpg", "http://x/health")
    assert len(development.links("http://x", signed)) == 4
    assert not any("unsafe" in link for link in development.links("http://x", signed))


def test_an_example_is_never_one_of_our_own_files(tmp_path: Path) -> None:
    (tmp_path / ".resized").mkdir()
    (tmp_path / ".resized" / "a.jpg").touch()
    assert development.example(Config(folder=tmp_path)) == development.PAINTED


def page_of(config: Config) -> tuple[list[Any], str]:
    """What is at / on a server of the application: an application of its own says nothing here."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("400 Bad Request", [])
        return [environ["PATH_INFO"].encode()]

    begun: list[Any] = []
    served = development.with_showroom(application, config)
    body = b"".join(served({"PATH_INFO": "/"}, lambda *start: begun.append(start)))  # type: ignore[arg-type]
    assert b"".join(served({"PATH_INFO": "/a"}, lambda *_: None)) == b"/a"  # type: ignore[arg-type]
    return begun, body.decode()


def test_the_page_has_some_originals_in_every_mode_and_format(tmp_path: Path) -> None:
    for name in ("d.jpg", 'a"<b.png', "c.jpg", "b.gif"):
        (tmp_path / name).write_bytes(PHOTO)
    ((status, headers),), page = page_of(Config(folder=tmp_path, unsigned=True))
    assert (status, dict(headers)["Content-Type"]) == ("200 OK", "text/html; charset=utf-8")
    assert page.count("<img ") == 3 * len(showroom.MODES) * len(showroom.FORMATS)
    assert "<h2>a&quot;&lt;b.png</h2>" in page
    assert 'src="/unsafe/w120,h120,fill,f_gif/c.jpg"' in page
    assert 'src="/unsafe/w120,h120,fill/c.jpg"' in page  # what is said by the extension is not said again
    assert "d.jpg" not in page


def test_the_page_signs_where_there_is_a_key_and_is_not_there_where_there_are_presets_alone(
    folder: Path,
) -> None:
    keyed = Config(folder=folder, signing_keys=("0123456789abcdef",))
    assert (
        f'src="{url("", "b/a b.jpg", options="w120,h120", signing_key="0123456789abcdef")}"'
        in page_of(keyed)[1]
    )
    assert page_of(Config(folder=folder, unsigned=True, presets_only=True)) == (
        [("400 Bad Request", [])],
        "/",
    )
    assert page_of(Config(folder=folder)) == ([("400 Bad Request", [])], "/")


def test_samples_are_a_photograph_one_that_moves_and_one_that_is_seen_through() -> None:
    found = {key: opened(data) for key, data in samples().items()}
    assert found[development.PAINTED].format == "JPEG"
    assert [key for key, image in found.items() if getattr(image, "n_frames", 1) > 1] == ["pan.gif"]
    assert found["pane.png"].getchannel("A").getextrema() == (0, 255)


def test_the_application_is_built_of_the_file_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESIZER_CONFIG", raising=False)
    with development.configured(folder, None) as toml:
        assert callable(development.application_of(toml))
        assert tomllib.loads(toml.read_text())["folder"] == str(folder)
    assert "RESIZER_CONFIG" not in os.environ


def test_a_port_that_is_none_is_told(folder: Path) -> None:
    served = development.configured(folder, None)
    with (
        served as toml,
        pytest.raises(ToolError, match=r"127\.0\.0\.1:70000"),
        development.server(toml, 70_000),
    ):
        pass


@pytest.mark.machines
def test_it_serves_what_it_says(folder: Path) -> None:
    with development.configured(folder, None) as toml, development.server(toml, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            tried = development.links(f"http://{development.HOST}:{server.server_port}", read(toml))
            statuses = [urllib.request.urlopen(link, timeout=30).status for link in tried]
        finally:
            server.shutdown()
            thread.join()
    assert statuses == [200] * len(tried)
