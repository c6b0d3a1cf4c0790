"""What can go wrong, as sentences: each error says what happened and, in `hint`, the next step to take.

ResizerError
├── ConfigError                    the configuration file cannot be used
├── ToolError                      a tool of the desk cannot do what it was asked
└── RefusalError                   a request that ends in a status other than success
    ├── Elsewhere             301  the result has another spelling
    ├── BadAddressError       400  bad_address
    │   └── BadOptionError    400  bad_option
    ├── SignatureError        403  signature
    ├── NotAllowedError       403  not_allowed
    ├── MissingError          404  missing
    ├── MethodError           405  method
    ├── TooManyBytesError     413  too_many_bytes
    ├── TooManyPixelsError    413  too_many_pixels
    ├── TooLargeResultError   413  too_large_result
    ├── NotAnImageError       415  not_an_image
    ├── UndecodableError      422  undecodable
    ├── TooSlowError          422  too_slow
    ├── StoreError            503  store_failed
    │   └── StoreDeniedError  503  store_denied
    ├── BusyError             503  busy
    └── StoreTimeoutError     504  store_timeout
"""

from __future__ import annotations

from typing import ClassVar


class ResizerError(Exception):
    """The root of this room's errors.

    `str(error)` is one sentence for whoever asked; `hint` is the next step for whoever runs the node.
    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


class ConfigError(ResizerError):
    """The configuration file cannot be used."""


class ToolError(ResizerError):
    """A tool of the desk cannot do what it was asked."""


class RefusalError(ResizerError):
    """A request that ends in an HTTP status other than success; `code` is its stable one-word name."""

    status: ClassVar[int]
    code: ClassVar[str]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the response headers that belong to this refusal alone."""
        return ()


class Elsewhere(RefusalError):
    """The URL is valid, and its result has another spelling: `location`, a path that is percent-encoded."""

    status, code = 301, "elsewhere"

    def __init__(self, location: str) -> None:
        super().__init__(f"This is spelt {location}.", "Write the URL so; the client function does.")
        self.location = location

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Say where."""
        return (("Location", self.location),)


class BadAddressError(RefusalError):
    """The URL is not of the grammar in README.md."""

    status, code = 400, "bad_address"


class BadOptionError(BadAddressError):
    """An option is unknown, malformed, out of range, said twice or lacks its partner; `option` names it."""

    status, code = 400, "bad_option"

    def __init__(self, option: str, sentence: str, hint: str) -> None:
        super().__init__(sentence, hint)
        self.option = option


class SignatureError(RefusalError):
    """The URL's signature is not one of ours."""

    status, code = 403, "signature"


class NotAllowedError(RefusalError):
    """The URL is well formed, of a kind that the configuration does not allow."""

    status, code = 403, "not_allowed"


class MissingError(RefusalError):
    """The store holds nothing under this key."""

    status, code = 404, "missing"


class MethodError(RefusalError):
    """The method is neither GET nor HEAD."""

    status, code = 405, "method"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Name the methods that are allowed."""
        return (("Allow", "GET, HEAD"),)


class TooManyBytesError(RefusalError):
    """The original is a bigger file than the node agrees to read."""

    status, code = 413, "too_many_bytes"


class TooManyPixelsError(RefusalError):
    """The original's header announces more pixels than the node agrees to decode."""

    status, code = 413, "too_many_pixels"


class TooLargeResultError(RefusalError):
    """The result would have more pixels than the node agrees to make."""

    status, code = 413, "too_large_result"


class NotAnImageError(RefusalError):
    """The original is of no format this room reads."""

    status, code = 415, "not_an_image"


class UndecodableError(RefusalError):
    """The original is of a known format, but broken or cut short."""

    status, code = 422, "undecodable"


class TooSlowError(RefusalError):
    """The original takes longer to decode than the node agrees to spend."""

    status, code = 422, "too_slow"


class StoreError(RefusalError):
    """The object store answered with a failure, or not at all."""

    status, code = 503, "store_failed"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Say when to come back: stores mend themselves within seconds or within hours."""
        return (("Retry-After", "5"),)


class StoreDeniedError(StoreError):
    """The object store does not let this node do what it has to."""

    status, code = 503, "store_denied"


class BusyError(RefusalError):
    """The node has as many requests for new results as it agrees to hold."""

    status, code = 503, "busy"

    def __init__(self, sentence: str, hint: str, retry_after_seconds: int) -> None:
        super().__init__(sentence, hint)
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Say when to come back."""
        return (("Retry-After", str(self.retry_after_seconds)),)


class StoreTimeoutError(RefusalError):
    """The object store did not answer in time."""

    status, code = 504, "store_timeout"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Say when to come back."""
        return (("Retry-After", "5"),)
