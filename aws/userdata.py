"""What a node is handed at its launch: its inputs, as cloud-config."""

from __future__ import annotations

import json

INPUTS_FILE = "/etc/amibake/inputs.json"
"""Where the node's bootstrap reads them."""


def node_user_data(inputs: dict[str, str]) -> str:
    """Cloud-config that hands a node its inputs, readable by root alone."""
    content = json.dumps(inputs, indent=1)
    file = {"path": INPUTS_FILE, "permissions": "0600", "owner": "root:root", "content": content}
    return "#cloud-config\n" + json.dumps({"write_files": [file]})
