"""How this room calls apt-get: without questions, patiently, and with lists fetched once per boot."""

from __future__ import annotations

# In /run, so that it says "since this builder booted" and can never be part of an image.
STAMP = "/run/amibake-apt-lists"

# Lists removed by a clean-up are not fresh, whatever the stamp says.
FRESH = f"test -e {STAMP} && ls /var/lib/apt/lists/*Release >/dev/null 2>&1"

_QUIET = (
    "DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qy -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5"
)

INSTALL = (
    f"{_QUIET} --no-install-recommends -o Dpkg::Use-Pty=0"
    " -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


def fresh_lists() -> str:
    """Fetch the package lists unless that was done since boot; a partial fetch is a failure."""
    fetch = f"{_QUIET} -o APT::Update::Error-Mode=any update"
    return f"{{ {FRESH}; }} || {{ {fetch} && : > {STAMP}; }} || exit"
