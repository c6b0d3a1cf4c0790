"""Places on the node's disk: which file holds which result. Pure, and known to Apache too.

    {K[0:2]}/{K[2:4]}/{K[4:]}-{signature or `unsafe`},{options}.{format}     /{signature}/{options}/{key}
    {K[0:2]}/{K[2:4]}/{K[4:]}-,{preset}.{format}                             /{preset}/{key}
    {K[0:2]}/{K[2:4]}/{K[4:]}-=,{options}.{format}                           the format was negotiated
    {K[0:2]}/{K[2:4]}/{K[4:]}-+{etag of the original}.jpeg                   a master

K is the SHA-1 of the key, in hex. Apache reckons the first two of these from the URL alone (the rewrite rules
in bake/templates): so a hit needs no Python, a signature that is not ours finds no file, and all results of a
key lie side by side in one of 65,536 folders. No URL reaches the other two:
a signature has no `=` and no `+`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from resizer.address import Address

NEGOTIATED = "="
MASTER = "+"
_LONGEST_NAME_BYTES = 255
_LONGEST_ETAG = 180


@lru_cache(maxsize=1024)  # one request asks several times
def stem(key: str) -> tuple[str, str]:
    """Return the folder of a key's files, and how the names of all of them begin."""
    digest = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:2]}/{digest[2:4]}", f"{digest[4:]}-"


def place(address: Address, *, negotiated: bool = False) -> str | None:
    """Return the path of a result below the cache's root; None if no file may have so long a name."""
    folder, start = stem(address.key)
    name = f"{start}{_middle(address, negotiated=negotiated)}.{address.format}"
    return f"{folder}/{name}" if len(name.encode()) <= _LONGEST_NAME_BYTES else None


def master_place(key: str, etag: str) -> str:
    """Return the path of the master that was made of the original with this etag."""
    folder, start = stem(key)
    return f"{folder}/{start}{MASTER}{quote(etag, safe='')[:_LONGEST_ETAG]}.jpeg"


def etag_of_master(name: str) -> str:
    """Return the etag that a file's name says its original had."""
    return unquote(name.partition(f"-{MASTER}")[2].removesuffix(".jpeg"))


def _middle(address: Address, *, negotiated: bool) -> str:
    if negotiated:
        return f"{NEGOTIATED},{address.result[: -len(address.key) - 1]}"
    if address.preset is not None:
        return f",{address.preset}"
    return address.head.replace("/", ",")
