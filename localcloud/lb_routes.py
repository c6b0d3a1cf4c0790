"""Where a listener's requests go, as lines of HAProxy's configuration.

The first rule that fits decides: it answers by itself, or writes the name of a pool into `txn.pool`, after
which no other rule applies. What follows finds the pool's backend, by zone where zones take turns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from localcloud.lb_model import Action, Answer, Condition, Forward, Listener, Pool, Redirect

_UNDECIDED = "!{ var(txn.pool) -m found }"

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
_FETCHES = {
    "path-pattern": "path -m reg",
    "host-header": "req.hdr(host),field(1,:) -i -m reg",
    "http-request-method": "method -m reg",
    "query-string": "query -m reg",
    "source-ip": "src",
}


def routes(listener: Listener, pools: Mapping[str, Pool], folder: Path) -> Iterator[str]:
    """The lines of a frontend that choose a backend."""
    for number, rule in enumerate(listener.rules):
        names = [f"rule-{number}-{part}" for part in range(len(rule.conditions))]
        for name, condition in zip(names, rule.conditions, strict=True):
            yield from _acl(name, condition)
        yield from _action(listener, rule.action, " ".join(names), folder)
    yield from _action(listener, listener.default, "", folder)
    for name in dict.fromkeys(_pools_of(listener)):
        if name in pools:
            yield from _zones(listener, pools[name])
    yield "use_backend %[var(txn.pool)]"


def answers(listeners: Iterable[Listener]) -> dict[str, str]:
    """File name -> content, of what rules answer by themselves."""
    actions = [action for one in listeners for action in _actions(one)]
    return {body_file(action): action.body for action in actions if isinstance(action, Answer)}


def body_file(answer: Answer) -> str:
    """The name of the file that holds an answer's body."""
    return f"answer-{hashlib.sha256(answer.body.encode()).hexdigest()[:16]}"


def pattern(text: str) -> str:
    """AWS's pattern, in which `*` is any text and `?` any character, as a regular expression of one line."""
    parts = {"*": ".*", "?": "."}
    return "^" + "".join(parts.get(letter) or _literal(letter) for letter in text) + "$"


def _literal(letter: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9/_-]", letter):
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())


def _actions(listener: Listener) -> tuple[Action, ...]:
    return (*(rule.action for rule in listener.rules), listener.default)


def _pools_of(listener: Listener) -> Iterator[str]:
    for action in _actions(listener):
        if isinstance(action, Forward):
            yield from (name for name, _ in action.pools)


def _acl(name: str, condition: Condition) -> Iterator[str]:
    fetch = _FETCHES.get(condition.field, f"req.hdr({condition.header}) -i -m reg")
    for text in condition.patterns:
        value = text if condition.field == "source-ip" else f"'{pattern(text)}'"
        yield f"acl {name} {fetch} {value}"


def _action(listener: Listener, action: Action, condition: str, folder: Path) -> Iterator[str]:
    when = f"{condition} {_UNDECIDED}".strip()
    match action:
        case Forward():
            yield from _forward(_stage(listener), action, when)
        case Answer():
            file = folder / body_file(action)
            kind = f"content-type {action.content_type}"
            yield f"http-request return status {action.status} {kind} file {file} if {when}"
        case Redirect():
            where = _location(listener, action)
            yield f"http-request redirect code {action.status} location {where} if {when}"


def _forward(stage: str, action: Forward, when: str) -> Iterator[str]:
    pools = [(name, weight) for name, weight in action.pools if weight > 0]
    if len(pools) > 1:
        yield f"{stage} set-var(txn.dice) rand({sum(weight for _, weight in pools)})"
    below = 0
    for name, weight in pools:
        below += weight
        dice = f" {{ var(txn.dice) -m int lt {below} }}" if len(pools) > 1 else ""
        yield f"{stage} set-var(txn.pool) str({name}) if {when}{dice}"


def _zones(listener: Listener, pool: Pool) -> Iterator[str]:
    """Let the zones that have targets in service take turns."""
    if not pool.zones:
        return
    stage, chosen = _stage(listener), f"{{ var(txn.pool) -m str {pool.name} }}"
    turn = f"proc.turn_{re.sub('[^A-Za-z0-9]', '_', pool.name)}"
    backends = pool.backends
    for number, backend in enumerate(backends):
        so_far = f",add(txn.zones_{number - 1})" if number else ""
        yield f"{stage} set-var(txn.zones_{number}) nbsrv({backend}),bool{so_far} if {chosen}"
    last = f"txn.zones_{len(backends) - 1}"
    yield f"{stage} set-var({turn}) var({turn},0),add(1),mod({last}) if {chosen}"
    for number, backend in enumerate(backends):
        its_turn = f"{{ nbsrv({backend}) gt 0 }} {{ var(txn.zones_{number}),sub({turn}) -m int gt 0 }}"
        yield f"use_backend {backend} if {chosen} {its_turn}"
    yield f"use_backend {backends[0]} if {chosen}"


def _stage(listener: Listener) -> str:
    return "http-request" if listener.mode == "http" else "tcp-request content"


def _location(listener: Listener, action: Redirect) -> str:
    ours = {
        "protocol": "https" if listener.certificate else "http",
        "host": "%[req.hdr(host),field(1,:)]",
        "port": str(listener.port),
        "path": "%[path,bytes(1)]",
        "query": "%[query]",
    }
    protocol = _filled(action.protocol, ours).lower()
    where = f"{protocol}://{_filled(action.host, ours)}:{_filled(action.port, ours)}"
    return f"{where}{_filled(action.path, ours)}?{_filled(action.query, ours)}"


def _filled(text: str, parts: Mapping[str, str]) -> str:
    """A redirect's part with its place holders filled in; what could end the line is quoted as in a URL."""
    pieces = re.split(r"#\{(\w+)\}", text)
    return "".join(
        parts.get(piece, "") if number % 2 else re.sub(r"[\s'\"%\\#]", _quoted, piece)
        for number, piece in enumerate(pieces)
    )


def _quoted(match: re.Match[str]) -> str:
    return "".join(f"%%{byte:02X}" for byte in match[0].encode())
