"""The Java trap: a JVM that remembers a name's address for longer than the record says, or for ever.

A load balancer's addresses change. Java keeps what it has looked up for `networkaddress.cache.ttl` seconds, a
security property in the JRE's `java.security`; without it 30 seconds, but for ever where a security manager
is installed (until Java 23, the last that has one). Source: the comments in that file, and
https://docs.oracle.com/en/java/javase/21/core/java-networking.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import NoJavaSecurity

PROPERTY = "networkaddress.cache.ttl"
_PLACES = ("conf/security/java.security", "jre/lib/security/java.security", "lib/security/java.security")
_LINE = re.compile(r"\s*([^\s=:#!]+)\s*[=:\s]\s*(.*)")


@dataclass(frozen=True)
class Caching:
    """For how long a JRE keeps addresses; `seconds` is None when nothing is set, -1 for ever."""

    file: Path
    seconds: int | None

    def verdict(self, record_ttl_seconds: int) -> tuple[bool, str]:
        """Whether this JRE follows a record of this TTL, and a sentence about it."""
        if self.seconds is None:
            return False, (
                f"{self.file}: {PROPERTY} is not set: 30 s, but for ever under a security manager;"
                f" set {PROPERTY}={record_ttl_seconds}"
            )
        if self.seconds < 0:
            return False, (
                f"{self.file}: {PROPERTY}={self.seconds} keeps addresses for ever: after a load balancer"
                f" has moved, clients fail until they are restarted; set {PROPERTY}={record_ttl_seconds}"
            )
        if self.seconds > record_ttl_seconds:
            return False, (
                f"{self.file}: {PROPERTY}={self.seconds} is longer than the record's {record_ttl_seconds} s;"
                f" set {PROPERTY}={record_ttl_seconds}"
            )
        return True, f"{self.file}: {PROPERTY}={self.seconds}, within the record's {record_ttl_seconds} s"


def caching(java: Path) -> Caching:
    """How a JRE caches: `java` is its home, or its java.security itself. Raises NoJavaSecurity."""
    file = java if java.is_file() else next((java / at for at in _PLACES if (java / at).is_file()), None)
    if file is None:
        raise NoJavaSecurity(
            f"{java} holds no java.security", "give a JRE's home, such as /usr/lib/jvm/java-21-openjdk-amd64"
        )
    text = properties(file.read_text(encoding="latin-1")).get(PROPERTY, "").strip()
    try:
        return Caching(file, int(text) if text else None)
    except ValueError:
        raise NoJavaSecurity(f"{file}: {PROPERTY} is {text!r}, no number", "give it seconds") from None


def properties(text: str) -> dict[str, str]:
    """A Java properties file: # and ! begin comments, a backslash at the end goes on, the last wins."""
    lines = re.sub(r"\\\r?\n\s*", "", text).splitlines()
    found = (_LINE.fullmatch(line) for line in lines if line.lstrip()[:1] not in ("#", "!"))
    return {match[1]: match[2] for match in found if match}
