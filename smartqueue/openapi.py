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
    """Adds the problem answers to every operation."""

    def get_response_serializers(self) -> Any:
        declared = super().get_response_serializers()
        if not isinstance(declared, dict):
            status = {"post": 201, "delete": 204}.get(self.method.lower(), 200)
            declared = {status: declared}
        answers = {(str(key[0]) if isinstance(key, tuple) else str(key)): value for key, value in declared.items()}
        public = not self.view.get_authenticators() or getattr(self.view, "public", False)
        for status, meaning in PROBLEMS.items():
            if not (public and status in {"401", "403"}):
                answers.setdefault(status, OpenApiResponse(ProblemSerializer, description=meaning))
        return {
            (status, "application/problem+json" if int(status) >= 400 else "application/json"): value
            for status, value in answers.items()
        }
