"""Lists by key, not by offset: a page costs the same however far down it is, and rows never shift between pages."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param


class KeysetPagination(CursorPagination):
    """`?limit=&cursor=` in, `{"items": [...], "next_cursor": null | "..."}` out, newest first."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                int(cursor.position)
        except Exception as error:
            # It comes from the caller: whatever is wrong with it is his to hear of.
            raise ValidationError({"cursor": "This is no cursor of ours."}, "cursor") from error
        return cursor

    def encode_cursor(self, cursor: Cursor) -> str:
        """The bare cursor; DRF's own answer is a whole address."""
        from_url = super().encode_cursor(cursor)
        return parse_qs(urlsplit(from_url).query)[self.cursor_query_param][0]

    def get_paginated_response(self, data: Any) -> Response:
        next_cursor = self.get_next_link()
        response = Response({"items": data, "next_cursor": next_cursor})
        if next_cursor:
            address = replace_query_param(str(self.base_url), self.cursor_query_param, next_cursor)
            response["Link"] = f'<{address}>; rel="next"'
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": schema,
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "Send it as `cursor` for the next page.",
                },
            },
        }
