"""The client writes URLs that a node serves as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resizer.address import Address, Rules, parse
from resizer.client import url
from resizer.errors import BadAddressError, BadOptionError
from resizer.options import Options

KEY = "a key for signing URLs"
BASE = "https://img.example.com"


def served(link: str) -> Address:
    return parse(unquote(urlsplit(link).path), Rules(signing_keys=(KEY.encode(),), unsigned=True))


def test_a_preset_needs_no_signature() -> None:
    assert url(BASE + "/", "a b/ä.jpg", preset="thumb") == f"{BASE}/thumb/a%20b/%C3%A4.jpg"


def test_options_are_signed_in_their_canonical_spelling() -> None:
    link = url(BASE, "a b.jpg", options="fill,h200,w300", signing_key=KEY)
    assert link.endswith("/w300,h200,fill/a%20b.jpg")
    assert served(link).signed


def test_without_a_key_the_url_says_that_it_is_unsafe() -> None:
    assert url(BASE, "a.jpg", options=Options(300, dpr=2)) == f"{BASE}/unsafe/w600/a.jpg"
    assert url(BASE, "a.png") == f"{BASE}/unsafe/full/a.png"


@pytest.mark.parametrize("base", ["https://example.com/images", "http://10.0.0.1:8300", ""])
def test_the_base_may_be_anything_in_front_of_a_path(base: str) -> None:
    assert url(base, "a.jpg", preset="thumb") == f"{base}/thumb/a.jpg"


@pytest.mark.parametrize(("preset", "options"), [("thumb", "w300"), ("Thumb", ""), ("a/b", "")])
def test_a_preset_with_options_or_of_no_such_form_is_refused(preset: str, options: str) -> None:
    with pytest.raises(BadOptionError) as caught:
        url(BASE, "a.jpg", preset=preset, options=options)
    assert caught.value.hint


@pytest.mark.parametrize("key", ["", "/a.jpg", "../a.jpg", "a\n.jpg"])
def test_a_key_that_no_url_can_name_is_refused(key: str) -> None:
    with pytest.raises(BadAddressError):
        url(BASE, key, preset="thumb")


@given(st.text("ab/ä%?#&+ .,;日", min_size=1), st.sampled_from(["w3", "f_png,w3", "fill,w2,h2", "dpr2,w9"]))
def test_every_url_is_served_without_a_redirect(key: str, options: str) -> None:
    try:
        link = url(BASE, key, options=options, signing_key=KEY)
    except BadAddressError:
        return
    assert served(link).key == key


@pytest.mark.machines
def test_the_client_needs_the_standard_library_alone() -> None:
    heavy = {"PIL", "boto3", "prometheus_client"}
    program = f"import sys; from resizer.client import url; print({heavy} & {{*sys.modules}})"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
