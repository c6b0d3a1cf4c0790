from __future__ import annotations

from pathlib import Path

import pytest

from fleet.errors import NoJavaSecurity
from fleet.jvm import caching, properties


def java_home(folder: Path, line: str, place: str = "conf/security/java.security") -> Path:
    file = folder / place
    file.parent.mkdir(parents=True)
    file.write_text(f"# networkaddress.cache.ttl=5\nsecurity.provider.1=SUN\n{line}\n")
    return folder


@pytest.mark.parametrize(
    ("line", "well", "said"),
    [
        ("networkaddress.cache.ttl=30", True, "within the record's 60 s"),
        ("networkaddress.cache.ttl = 60", True, "within"),
        ("networkaddress.cache.ttl=300", False, "longer than the record's 60 s"),
        ("networkaddress.cache.ttl=-1", False, "for ever"),
        ("#networkaddress.cache.ttl=-1", False, "is not set"),
        ("networkaddress.cache.ttl=", False, "is not set"),
    ],
)
def test_a_jre_follows_a_record_or_not(tmp_path: Path, line: str, well: bool, said: str) -> None:
    verdict, sentence = caching(java_home(tmp_path, line)).verdict(60)
    assert (verdict, said in sentence) == (well, True)


def test_an_old_jres_file_lies_elsewhere_and_may_be_given_itself(tmp_path: Path) -> None:
    home = java_home(tmp_path, "networkaddress.cache.ttl=10", "jre/lib/security/java.security")
    assert caching(home).seconds == caching(home / "jre/lib/security/java.security").seconds == 10


def test_what_is_no_jre_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoJavaSecurity, match=r"holds no java\.security"):
        caching(tmp_path)


def test_what_is_no_number_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoJavaSecurity, match="'soon', no number"):
        caching(java_home(tmp_path, "networkaddress.cache.ttl=soon"))


def test_properties_may_go_on_over_lines_and_the_last_one_wins() -> None:
    text = "a = 1\n! a = 2\nb: \\\n   two\na 3\n"
    assert properties(text) == {"a": "3", "b": "two"}
