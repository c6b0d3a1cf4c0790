"""Launch templates as EC2 reads them: versions made of others, and tags as they are now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from localcloud.hooks import replace

_request = threading.local()  # what moto's own layers drop between the request and the models


def install() -> None:
    """Let CreateLaunchTemplateVersion heed SourceVersion, and DescribeLaunchTemplates tags put later."""

    def wrap_response(original: Callable[..., Any]) -> Callable[..., Any]:
        def create_launch_template_version(self: Any) -> Any:
            _request.source = self._get_param("SourceVersion")
            try:
                return original(self)
            finally:
                _request.source = None

        return create_launch_template_version

    def wrap_template(original: Callable[..., Any]) -> Callable[..., Any]:
        def create_version(self: Any, data: dict[str, Any], description: str) -> Any:
            source = getattr(_request, "source", None)
            whole = merged(self.get_version(source).data, data) if source else data
            return original(self, _with_user_data(whole), description)

        return create_version

    replace(
        "moto.ec2.responses.launch_templates:LaunchTemplates.create_launch_template_version", wrap_response
    )
    replace("moto.ec2.models.launch_templates:LaunchTemplate.create_version", wrap_template)
    replace("moto.ec2.models.launch_templates:LaunchTemplateBackend.describe_launch_templates", _with_tags)


def _with_tags(original: Callable[..., Any]) -> Callable[..., Any]:
    def describe_launch_templates(self: Any, *args: Any, **kwargs: Any) -> Any:
        # moto keeps the tags of a template's birth beside those it has now.
        for template in self.launch_templates.values():
            template.tags = template.get_tags()
        return original(self, *args, **kwargs)

    return describe_launch_templates


def _with_user_data(data: dict[str, Any]) -> dict[str, Any]:
    """User data as moto launches from it, which it makes of the text in a template's first version only."""
    from moto.core.types import Base64EncodedString

    given = data.get("UserData")
    return {**data, "UserData": Base64EncodedString(given)} if isinstance(given, str) else data


def merged(source: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """The data of a version made of another: what is given replaces what was there, whole."""
    return {**source, **data}
