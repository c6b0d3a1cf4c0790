"""What a node is handed at its launch: its inputs and its run lists, as cloud-config."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

INPUTS_FILE = "/etc/amibake/inputs.json"
RUN_LISTS_FILE = "/etc/amibake/run-lists.json"
"""Where the node's bootstrap reads them."""


def node_user_data(inputs: Mapping[str, str], run_lists: Mapping[str, Sequence[str]] | None = None) -> str:
    """Cloud-config that hands a node its inputs and, where given, its run lists, readable by root alone.

    Inputs are typed values by name; run lists are script names by `boot`, `operational` and `decommission`.
    """
    files = [_file(INPUTS_FILE, dict(inputs))]
    if run_lists is not None:
        files.append(_file(RUN_LISTS_FILE, {name: list(scripts) for name, scripts in run_lists.items()}))
    return "#cloud-config\n" + json.dumps({"write_files": files})


def _file(path: str, document: dict[str, Any]) -> dict[str, str]:
    content = json.dumps(document, indent=1)
    return {"path": path, "permissions": "0600", "owner": "root:root", "content": content}
