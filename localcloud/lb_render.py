"""A load balancer as HAProxy's configuration: a pure function from its description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from localcloud.lb_model import Balancer, Check, Listener, Pool, Target
from localcloud.lb_routes import answers, routes

LOG_MARK = "R"
"""Begins each line that tells of a request or a connection; see `lb_traffic`."""

# When a target refuses a connection, a classic load balancer tries another one, the newer kinds give up:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-cloudwatch-metrics.html
_RETRIES = {"classic": 3, "application": 0, "network": 0}

ERROR_PAGES = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
"""What a load balancer itself answers with when no target does."""

Servers = Mapping[str, Iterable[tuple[str, Target]]]
"""Pool's name -> names of servers and what they stand for."""


def config(balancer: Balancer, folder: Path, servers: Servers) -> str:
    """The whole file. `folder` holds its sockets, state and certificates.

    `servers` are those to begin with: none, but at a change under way; others are added as it runs.
    """
    pools = {pool.name: pool for pool in balancer.pools}
    blocks = [
        _global(folder),
        _defaults(balancer, folder),
        *(_frontend(balancer, listener, pools, folder) for listener in balancer.listeners),
        *(block for pool in balancer.pools for block in _backends(pool, servers.get(pool.name, ()))),
    ]
    return "\n\n".join("\n    ".join(lines) for lines in blocks) + "\n"


def files(balancer: Balancer) -> dict[str, str]:
    """File name -> content, of what the configuration refers to, but for certificates."""
    pages = {f"{code}.http": _error_page(code) for code in ERROR_PAGES}
    return {**pages, **answers(balancer.listeners)}


def certificate_file(certificate: str) -> str:
    """The name of the file that holds a certificate and its key."""
    return re.sub(r"[^A-Za-z0-9]+", "-", certificate).strip("-") + ".pem"


def server_words(pool: Pool, target: Target) -> list[str]:
    """A server's settings, as both the configuration and the command `add server` take them."""
    check = pool.check
    words = [f"{target.address}:{target.port}", "check", "inter", f"{check.interval}s"]
    words += ["rise", str(check.rise), "fall", str(check.fall)]
    if check.port:
        words += ["port", str(check.port)]
    if pool.tls:
        words += ["ssl"]
    if check.protocol in ("HTTPS", "SSL"):
        words += ["check-ssl"]
    elif pool.tls:
        words += ["no-check-ssl"]
    return [*words, "verify", "none"] if "ssl" in words or "check-ssl" in words else words


def _global(folder: Path) -> list[str]:
    return [
        "global",
        "nbthread 1",
        "user nobody",
        "group nogroup",
        "fd-hard-limit 16384",
        "log stdout len 512 format raw local0",
        f"stats socket {folder}/stats mode 600 level admin expose-fd listeners",
        f"server-state-file {folder}/servers",
        "ssl-default-bind-options ssl-min-ver TLSv1.2",
    ]


def _defaults(balancer: Balancer, folder: Path) -> list[str]:
    idle = f"{balancer.idle_seconds}s"
    retries = _RETRIES[balancer.kind]
    return [
        "defaults",
        "log global",
        "load-server-state-from-file global",
        f"timeout client {idle}",
        f"timeout server {idle}",
        f"timeout http-keep-alive {idle}",
        "timeout http-request 60s",
        f"retries {retries}",
        *(["option redispatch 1"] if retries else ["no option redispatch"]),
        *(f"errorfile {code} {folder}/{code}.http" for code in ERROR_PAGES),
    ]


def _frontend(balancer: Balancer, listener: Listener, pools: Mapping[str, Pool], folder: Path) -> list[str]:
    tls = f" ssl crt {folder}/{certificate_file(listener.certificate)}" if listener.certificate else ""
    alpn = " alpn h2,http/1.1" if tls and listener.mode == "http" and balancer.kind == "application" else ""
    return [
        f"frontend listen-{listener.port}",
        f"bind {balancer.address}:{listener.port}{tls}{alpn}",
        f"mode {listener.mode}",
        *(_http_lines(listener) if listener.mode == "http" else _tcp_lines()),
        *routes(listener, pools, folder),
    ]


def _http_lines(listener: Listener) -> list[str]:
    return [
        f'log-format "{LOG_MARK} %f %b %s %ST %Tr"',
        # Else a worker that hands over closes idle connections, one perhaps as its client asks again.
        "option idle-close-on-response",
        "option forwardfor",
        f"http-request set-header X-Forwarded-Proto {'https' if listener.certificate else 'http'}",
        f"http-request set-header X-Forwarded-Port {listener.port}",
    ]


def _tcp_lines() -> list[str]:
    return [f'log-format "{LOG_MARK} %f %b %s - %Tc"']


def _backends(pool: Pool, servers: Iterable[tuple[str, Target]]) -> Iterator[list[str]]:
    known = list(servers)
    for zone, name in zip(pool.zones or ("",), pool.backends, strict=True):
        yield [
            f"backend {name}",
            f"mode {pool.mode}",
            f"balance {pool.balance}",
            # Also the longest that a check waits for its connection; in a VPC either comes at once or never.
            f"timeout connect {pool.check.timeout}s",
            *_check_lines(pool.check),
            *(
                " ".join(["server", server, *server_words(pool, target)])
                for server, target in known
                if not zone or target.zone == zone
            ),
        ]


def _check_lines(check: Check) -> list[str]:
    timeout = f"timeout check {check.timeout}s"
    if check.protocol in ("TCP", "SSL"):
        return [timeout]
    headers = f"hdr Host localhost hdr Connection close hdr User-Agent {check.agent}"
    return [
        "option httpchk",
        timeout,
        f"http-check send meth GET uri '{_safe(check.path)}' ver HTTP/1.1 {headers}",
        f"http-check expect status {check.codes}",
    ]


def _safe(path: str) -> str:
    return re.sub(r"[\s']", lambda match: f"%{ord(match[0]):02X}", path)


def _error_page(code: int) -> str:
    title = f"{code} {ERROR_PAGES[code]}"
    body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    body += "</body>\r\n</html>\r\n"
    return (
        f"HTTP/1.1 {title}\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
