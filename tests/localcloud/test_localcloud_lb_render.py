"""What HAProxy is told of a load balancer. Golden files: `BLESS=1` rewrites them."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from localcloud.lb_model import (
    Answer,
    Balancer,
    Check,
    Condition,
    Forward,
    Listener,
    Pool,
    Redirect,
    Rule,
    Target,
)
from localcloud.lb_render import certificate_file, config, files, server_words
from localcloud.lb_routes import body_file, pattern

GOLDEN = Path(__file__).with_name("golden")
FOLDER = Path("/run/lb")
CHECK = Check("HTTP", 80, "/health", 5, 2, 3, 2, agent="ELB-HealthChecker/1.0")
WEB = Pool("http-80", "http", tls=False, check=CHECK, zones=("us-east-1a", "us-east-1b"))
TARGET = Target("i-1", IPv4Address("10.0.0.7"), 80, "us-east-1b")
CLASSIC = Balancer(
    id="lb-1",
    name="web",
    kind="classic",
    address=IPv4Address("10.0.0.5"),
    dns_name="web-1.us-east-1.elb.amazonaws.com",
    listeners=(
        Listener(80, "http", Forward((("http-80", 1),))),
        Listener(443, "http", Forward((("http-80", 1),)), certificate="arn:aws:acm:x:1:certificate/a"),
    ),
    pools=(WEB,),
    groups=("sg-1",),
)
TEAPOT = Answer(418, body="it's a\nteapot")
APPLICATION = replace(
    CLASSIC,
    kind="application",
    listeners=(
        Listener(
            80,
            "http",
            Forward((("app", 3), ("canary", 1))),
            rules=(
                Rule((Condition("path-pattern", ("/img/*", "/i?")),), Forward((("canary", 1),))),
                Rule((Condition("host-header", ("*.example.com",)),), TEAPOT),
                Rule(
                    (Condition("source-ip", ("192.0.2.0/24",)),), Redirect(301, protocol="HTTPS", port="443")
                ),
                Rule((Condition("http-header", ("yes",), header="X-Old"),), Answer(410)),
            ),
        ),
    ),
    pools=(
        Pool("app", "http", tls=True, check=replace(CHECK, port=0, codes="200-399"), balance="roundrobin"),
        Pool("canary", "http", tls=False, check=replace(CHECK, protocol="TCP", port=0)),
    ),
)
NETWORK = replace(
    CLASSIC,
    kind="network",
    idle_seconds=350,
    groups=None,
    listeners=(Listener(443, "tcp", Forward((("tls", 1),)), certificate="made"),),
    pools=(Pool("tls", "tcp", tls=False, check=replace(CHECK, port=8080)),),
)


@pytest.mark.parametrize(
    ("name", "balancer"),
    [("classic.haproxy", CLASSIC), ("application.haproxy", APPLICATION), ("network.haproxy", NETWORK)],
)
def test_the_whole_configuration_is_the_golden_one(name: str, balancer: Balancer) -> None:
    rendered = config(balancer, FOLDER, {})
    if os.environ.get("BLESS"):
        (GOLDEN / name).write_text(rendered)
    assert rendered == (GOLDEN / name).read_text()


def test_servers_that_are_there_at_a_change_are_in_the_backend_of_their_zone() -> None:
    rendered = config(CLASSIC, FOLDER, {"http-80": [("i-1.4", TARGET)]})
    _, of_zone = rendered.split("\nbackend http-80:us-east-1b")
    assert "server i-1.4 10.0.0.7:80 check inter 5s rise 3 fall 2 port 80" in of_zone
    assert rendered.count("server i-1.4") == 1


def test_a_server_is_checked_where_and_how_the_check_says() -> None:
    encrypted = replace(WEB, tls=True)
    by_tls = replace(WEB, check=replace(CHECK, protocol="HTTPS"))
    assert "ssl no-check-ssl verify none" in " ".join(server_words(encrypted, TARGET))
    assert "check-ssl verify none" in " ".join(server_words(by_tls, TARGET))
    assert "port" not in server_words(replace(WEB, check=replace(CHECK, port=0)), TARGET)


def test_only_a_classic_load_balancer_tries_another_target() -> None:
    assert "retries 3" in config(CLASSIC, FOLDER, {})
    assert "retries 0" in config(APPLICATION, FOLDER, {})


def test_files_hold_what_the_load_balancer_answers_itself() -> None:
    found = files(APPLICATION)
    assert found[body_file(TEAPOT)] == TEAPOT.body
    status, _, body = found["503.http"].partition("\r\n\r\n")
    assert status.startswith("HTTP/1.1 503 Service Temporarily Unavailable")
    assert int(re.findall(r"Content-Length: (\d+)", status)[0]) == len(body)


@pytest.mark.parametrize(
    ("text", "fits", "does_not"),
    [
        ("/img/*", "/img/a/b", "/imgs/a"),
        ("/a?c", "/abc", "/ac"),
        ("/a.b'c (d)", "/a.b'c (d)", "/aXb'c (d)"),
        ("*.example.com", "www.example.com", "example.org"),
    ],
)
def test_a_pattern_is_matched_as_aws_does(text: str, fits: str, does_not: str) -> None:
    assert re.search(pattern(text), fits)
    assert not re.search(pattern(text), does_not)


@pytest.mark.parametrize("text", ["/a'\nuse_backend x", '/"', "/a b\tc", "/ü\r\n"])
def test_no_pattern_ends_its_line_or_its_quotes(text: str) -> None:
    assert not set(pattern(text)) & set(" \t\r\n'\"")


def test_no_path_of_a_check_ends_its_line_or_its_quotes() -> None:
    pool = replace(WEB, check=replace(CHECK, path="/x' y\nz"))
    rendered = config(replace(CLASSIC, pools=(pool,)), FOLDER, {})
    assert "uri '/x%27%20y%0Az' ver" in rendered


def test_no_redirect_ends_its_line() -> None:
    rule = Rule((), Redirect(302, host="a b\nc", path="/%{x}/#{path}"))
    balancer = replace(APPLICATION, listeners=(Listener(80, "http", TEAPOT, rules=(rule,)),))
    (line,) = [one for one in config(balancer, FOLDER, {}).splitlines() if "redirect" in one]
    assert "location http://a%%20b%%0Ac:80/%%25{x}/%[path,bytes(1)]?%[query] if" in line


def test_certificates_names_are_file_names() -> None:
    assert (
        certificate_file("arn:aws:acm:us-east-1:1:certificate/a-b")
        == "arn-aws-acm-us-east-1-1-certificate-a-b.pem"
    )
