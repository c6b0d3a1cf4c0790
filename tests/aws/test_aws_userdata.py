from __future__ import annotations

import json

import yaml

from aws.userdata import node_user_data


def written(user_data: str) -> dict[str, tuple[str, object]]:
    files = yaml.safe_load(user_data)["write_files"]
    return {file["path"]: (file["permissions"], json.loads(file["content"])) for file in files}


def test_a_node_is_handed_its_inputs_readable_by_root_alone() -> None:
    data = node_user_data({"BUCKET": "text:photos"})
    assert data.startswith("#cloud-config\n")
    assert written(data) == {"/etc/amibake/inputs.json": ("0600", {"BUCKET": "text:photos"})}


def test_run_lists_come_along_only_when_given() -> None:
    found = written(node_user_data({}, {"boot": ("configure", "apache")}))
    assert found["/etc/amibake/run-lists.json"] == ("0600", {"boot": ["configure", "apache"]})
