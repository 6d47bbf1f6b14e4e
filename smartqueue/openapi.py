"""What drf-spectacular is told beyond the views: the one error shape, and our bearer token."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class FieldErrorSerializer(serializers.Serializer[dict[str, str]]):
    pointer = serializers.CharField(help_text="JSON pointer to the field.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[dict[str, Any]]):
    """RFC 9457 problem details: the shape of every answer that is not 2xx."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    request_id = serializers.CharField()
    errors = FieldErrorSerializer(many=True)


PROBLEMS = {
    "400": "The request is not valid.",
    "401": "No valid token.",
    "403": "The role does not allow this.",
    "404": "Not there, or another organisation's.",
}


class Schema(AutoSchema):
    """Adds the problem answers to every operation, and the problem's shape to those a view only describes."""

    # Where every declared answer passes: what extend_schema is given replaces get_response_serializers().
    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        public = not self.view.get_authenticators() or getattr(self.view, "public", False)
        problems = {
            status: meaning for status, meaning in PROBLEMS.items() if not (public and status in {"401", "403", "404"})
        }
        problems |= {status: body["description"] for status, body in bodies.items() if int(status) >= 400}
        for status, meaning in problems.items():
            answer = OpenApiResponse(ProblemSerializer, description=meaning)
            bodies[status] = self._get_response_for_code(answer, status, ["application/problem+json"], direction)
        return bodies
