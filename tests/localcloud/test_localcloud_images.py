"""Images on disk, and the recipe of the public ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from localcloud import debian
from localcloud.debian import RELEASES, PublicImage, Release
from localcloud.images import ImageRecord
from localcloud.imagestore import ImageStore
from localcloud.site import ACCOUNT, Site

RECORD = ImageRecord(
    id="ami-1",
    name="web",
    owner=ACCOUNT,
    created="2026-01-02T00:00:00.000Z",
    snapshot="snap-1",
    layers=("/srv/layer-1", "/srv/layer-0"),
    tags={"amibake:state": "verified"},
    launch_permissions=({"UserId": "111122223333"},),
)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(Site(home=tmp_path))


def test_a_record_that_was_kept_is_read_back_the_same(store: ImageStore) -> None:
    store.write(RECORD)
    assert store.images() == [RECORD]


def test_records_come_oldest_first(store: ImageStore) -> None:
    older = dataclasses.replace(RECORD, id="ami-2", created="2025-01-01T00:00:00.000Z")
    for record in (RECORD, older):
        store.write(record)
    assert [record.id for record in store.images()] == ["ami-2", "ami-1"]


def test_a_record_that_was_written_halfway_is_not_read(store: ImageStore, tmp_path: Path) -> None:
    store.write(RECORD)
    (tmp_path / "images" / "ami-2.draft").write_text('{"id": "ami')
    assert [record.id for record in store.images()] == ["ami-1"]


def test_an_image_that_was_removed_is_gone_and_may_be_removed_again(store: ImageStore) -> None:
    store.write(RECORD)
    store.remove(RECORD.id)
    store.remove(RECORD.id)
    assert store.images() == []


def _layer(store: ImageStore) -> Path:
    with store.new_layer() as path:
        path.mkdir()
        (path / "file").write_text("content")
    return path


def test_layers_that_an_image_or_a_machine_stands_on_are_kept_and_others_go(store: ImageStore) -> None:
    imaged, running, shared, unused = (_layer(store) for _ in range(4))
    store.write(dataclasses.replace(RECORD, layers=(str(imaged), str(shared))))
    store.write(dataclasses.replace(RECORD, id="ami-2", layers=(str(shared),)))
    assert store.drop_unused_layers([running]) == [unused]
    assert not unused.exists()
    assert all((kept / "file").exists() for kept in (imaged, running, shared))


def test_a_layer_shared_by_two_images_goes_with_the_second(store: ImageStore) -> None:
    shared = _layer(store)
    for image_id in ("ami-1", "ami-2"):
        store.write(dataclasses.replace(RECORD, id=image_id, layers=(str(shared),)))
    store.remove("ami-1")
    assert store.drop_unused_layers(()) == []
    store.remove("ami-2")
    assert store.drop_unused_layers(()) == [shared]


def test_public_images_are_not_ours() -> None:
    assert RECORD.own
    assert not dataclasses.replace(RECORD, owner=debian.OWNER).own


def test_whatever_decides_a_public_images_content_decides_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Release(13, "trixie")
    seen = {release.recipe, Release(12, "bookworm").recipe}
    for name in ("_PACKAGES", "_CLOUD_CONFIG", "_FINISH"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(debian, name, getattr(debian, name)[:-1])
            seen.add(release.recipe)
    assert len(seen) == 5
    assert release.recipe == Release(13, "trixie").recipe


def test_a_public_image_keeps_the_id_it_was_first_given(tmp_path: Path) -> None:
    first = PublicImage(RELEASES[1], tmp_path).record()
    assert PublicImage(RELEASES[1], tmp_path).record() == first
    assert first.public
    assert first.owner == debian.OWNER
    assert first.name.startswith("debian-13-amd64-2")


def test_a_public_image_is_built_once_and_a_broken_draft_is_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = PublicImage(RELEASES[1], tmp_path)
    image.record()
    built = []

    def follow(argv: list[str], notice: object) -> None:
        built.append(argv)
        (image.folder / "draft").mkdir()
        if len(built) == 1:
            raise debian.CommandFailed("mmdebstrap ended with 1")

    monkeypatch.setattr(debian, "_follow", follow)
    with pytest.raises(debian.CommandFailed):
        image.ensure_built(lambda _: None)
    assert not image.tree.exists()
    image.ensure_built(lambda _: None)
    image.ensure_built(lambda _: None)
    assert image.tree.exists()
    assert len(built) == 2
