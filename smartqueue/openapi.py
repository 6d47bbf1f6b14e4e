"""What drf-spectacular is told beyond the views: the one error shape, the shared headers, and when each error comes."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from orgs.permissions import MayAct, MayActInOrg
from orgs.serializers import StrictSerializer
from smartqueue.errors import title

PROBLEM = {"$ref": "#/components/schemas/Problem"}
SCHEMAS: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457 problem details: the shape of every answer that is not 2xx.",
        "required": ["type", "title", "status", "detail", "instance", "request_id", "errors"],
        "properties": {
            "type": {"type": "string", "description": "`urn:smartqueue:problem:` and a word that programs can act on."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "A sentence for people."},
            "instance": {"type": "string", "description": "The path that was asked."},
            "request_id": {"type": "string", "description": "The X-Correlation-ID of the request."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
            "violated-policies": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Of `quota_exceeded`: which of the policies in RateLimit-Policy.",
            },
            "quota": {
                "type": "string",
                "description": "Of `org_quota_exceeded`: which of those of `GET /orgs/{slug}/usage/`.",
            },
            "organisations": {
                "type": "array",
                "items": {"type": "object", "additionalProperties": {"type": "string"}},
                "description": "Of `last_org_admin`: `slug`, `name`, and what comes `first`, appoint or close.",
            },
            "limit": {"type": "integer", "description": "What the organisation may have of it."},
            "used": {"type": "integer", "description": "What it has."},
            "reason": {
                "type": "string",
                "description": "Of `organisation_suspended`: why, in a platform admin's words.",
            },
            "erase_at": {
                "type": "string",
                "format": "date-time",
                "description": "Of `organisation_closing`: when all of it is erased. Until then it may be restored.",
            },
        },
    },
    "FieldError": {
        "type": "object",
        "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": {
                "type": "string",
                "description": "JSON pointer (RFC 6901) to the field of the body, or / and the name of a parameter.",
            },
            "code": {"type": "string"},
            "detail": {"type": "string"},
        },
    },
}
# Status: component, what it says, and the word in `type`.
PROBLEMS = {
    400: ("BadRequest", "The request is not valid; see errors.", "validation"),
    401: ("Unauthorized", "There is no token, or it is not valid any more.", "not_authenticated"),
    403: ("Forbidden", "Your role does not allow this, or the organisation is not active.", "permission_denied"),
    404: ("NotFound", "It is not there, or belongs to another organisation.", "not_found"),
    406: ("NotAcceptable", "Only JSON is answered.", "not_acceptable"),
    411: ("LengthRequired", "Send the body with a Content-Length, not in chunks.", "length_required"),
    413: ("ContentTooLarge", "The request body is too large.", "body_too_large"),
    414: ("AddressTooLong", "The address is too long.", "uri_too_long"),
    415: ("UnsupportedMediaType", "Only application/json is read.", "unsupported_media_type"),
    429: (
        "TooManyRequests",
        "Too many in too short a time, or too much waits. Ask again after Retry-After.",
        "quota_exceeded",
    ),
    500: ("InternalServerError", "A bug. It is logged under the request id.", "internal_server_error"),
    503: ("ServiceUnavailable", "The database is not answering. Ask again after Retry-After.", "database_away"),
}
PARAMETERS = {
    "Org": {
        "name": "X-Org",
        "in": "header",
        "description": "The organisation to act in, by its slug. Without it, the one you switched to.",
        "schema": {"type": "string"},
    },
    "CorrelationId": {
        "name": "X-Correlation-ID",
        "in": "header",
        "description": "Up to 128 letters, digits and ._:/+=-; made up when missing. It is sent back, logged, and kept "
        "with the jobs that the request makes.",
        "schema": {"type": "string", "maxLength": 128},
    },
}


class Schema(AutoSchema):
    """Adds to every operation the errors it can answer with, and the headers it reads."""

    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args)
        if operation is None:
            return None
        operation.setdefault("parameters", []).extend(parameter(name) for name in self.shared_headers())
        responses = operation["responses"]
        for status in self.problems(operation):
            responses.setdefault(str(status), {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"})
        for status, answer in responses.items():
            if status >= "400" and "$ref" not in answer:
                answer["content"] = {"application/problem+json": {"schema": PROBLEM}}
        operation["responses"] = dict(sorted(responses.items()))
        return operation

    def get_request_serializer(self) -> Any:
        """A DELETE takes nothing, unless extend_schema says so."""
        return None if self.method == "DELETE" else super().get_request_serializer()

    def _get_request_body(self, direction: Any = "request") -> Any:
        """Of a DELETE too, where the view says that it takes one."""
        if self.method != "DELETE" or not takes_body(self.get_request_serializer()):
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        self.method = "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = "DELETE"

    def get_description(self) -> str:  # type: ignore[override]
        """What extend_schema says goes before this. Docstrings of views are for readers of the code."""
        return ""

    def shared_headers(self) -> list[str]:
        in_org = MayAct in self.view.permission_classes
        return ["Org", "CorrelationId"] if in_org else ["CorrelationId"]

    def problems(self, operation: dict[str, Any]) -> list[int]:
        """Which of PROBLEMS this operation can give."""
        gates = set(self.view.permission_classes)
        # `{}` among the requirements: nothing is required
        secured = {} not in operation.get("security", [{}])
        asks = any(may_be_wrong(one) for one in operation["parameters"]) or "requestBody" in operation
        return [
            *([400] if asks else []),
            *([401] if secured else []),
            *([403] if secured else []),
            *([404] if "{" in self.path or gates & {MayAct, MayActInOrg} else []),
            406,
            *([411, 413, 415] if "requestBody" in operation else []),
            414,
            429,
            500,
            503,
        ]


def takes_body(serializer: Any) -> bool:
    return isinstance(serializer, type) and issubclass(serializer, StrictSerializer)


def may_be_wrong(parameter: dict[str, Any]) -> bool:
    """Whether it is read as something that it may not be. Where it stands in the path, what is not there is 404."""
    return parameter.get("in") == "query" or parameter.get("name") == "Idempotency-Key"


def parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def add_components(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A postprocessing hook: what Schema's references point to."""
    components = result["components"]
    components["schemas"] = dict(sorted({**components.get("schemas", {}), **SCHEMAS}.items()))
    components["responses"] = {
        name: {
            "description": meaning,
            "content": {
                "application/problem+json": {"schema": PROBLEM, "example": example(status, meaning, word)},
            },
        }
        for status, (name, meaning, word) in PROBLEMS.items()
    }
    components["parameters"] = PARAMETERS
    return result


def example(status: int, meaning: str, word: str) -> dict[str, Any]:
    fields = [{"pointer": "/name", "code": "max_length", "detail": "At most 64 characters."}] if status == 400 else []
    return {
        "type": f"urn:smartqueue:problem:{word}",
        "title": title(status),
        "status": status,
        "detail": meaning,
        "instance": "/api/v1/jobs/",
        "request_id": "4f7c1f0a9be34b0cb2d0a5a54d2c9a51",
        "errors": fields,
    }
