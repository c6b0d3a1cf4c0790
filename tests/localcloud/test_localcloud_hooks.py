"""moto's private names, which the local cloud stands on."""

from __future__ import annotations

import pytest

from localcloud import hooks
from localcloud.errors import LocalCloudError


def test_the_installed_moto_has_every_hooked_name_in_the_shape_it_must_have() -> None:
    hooks.verify()


def test_a_name_that_changed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.ec2.models.instances import Instance

    monkeypatch.setattr(Instance, "reboot", lambda self, hard: None)
    with pytest.raises(
        LocalCloudError, match=r"Instance\.reboot: takes self, hard instead of self"
    ) as caught:
        hooks.verify()
    assert "pinned" in caught.value.hint


def test_a_name_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.ec2.models.instances import InstanceBackend

    monkeypatch.delattr(InstanceBackend, "get_instance")
    with pytest.raises(LocalCloudError, match=r"InstanceBackend\.get_instance"):
        hooks.verify()


def test_every_wrong_name_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks.HOOKED, "moto.nowhere:Nothing.at_all", ())
    monkeypatch.setitem(hooks.HOOKED, "moto.ec2.models:EC2Backend.nothing", ())
    with pytest.raises(LocalCloudError) as caught:
        hooks.verify()
    assert "Nothing.at_all" in str(caught.value)
    assert "EC2Backend.nothing" in str(caught.value)


def test_only_hooked_names_can_be_replaced() -> None:
    with pytest.raises(KeyError, match="is not in HOOKED"):
        hooks.replace("moto.ec2.models.instances:Instance.get_tags", lambda original: original)


def test_a_replacement_gets_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.ec2.models.instances import Instance

    original = Instance.reboot
    monkeypatch.setattr(Instance, "reboot", original)  # so that it is put back
    given = []
    hooks.replace("moto.ec2.models.instances:Instance.reboot", lambda was: given.append(was) or "ours")
    assert given == [original]
    assert Instance.reboot == "ours"
