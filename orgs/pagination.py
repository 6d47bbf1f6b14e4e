"""Lists by key, not by offset: a page costs the same however far down it is, and rows never shift between pages."""

import base64
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

SIZE = re.compile("[0-9]{1,3}")
# An id.
PLACE = re.compile("[0-9]+")


class KeysetPagination(CursorPagination):
    """`?limit=&cursor=` in, `{"items": [...], "next_cursor": null | "..."}` out, newest first."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"

    def get_page_size(self, request: Request) -> int:
        """A size that is none is told so, as by the lists of jobs, rather than taken for the usual one."""
        asked = request.query_params.get(self.page_size_query_param, str(self.page_size))
        if not SIZE.fullmatch(asked) or not 1 <= int(asked) <= self.max_page_size:
            raise ValidationError({"limit": f"A whole number from 1 to {self.max_page_size}."}, "invalid")
        return int(asked)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            base64.b64decode(request.query_params.get(self.cursor_query_param, ""), validate=True)
            cursor = super().decode_cursor(request)
            # without a place, or with another way to go, it is none of those that were given
            if cursor is not None and (cursor.offset or cursor.reverse or not PLACE.fullmatch(str(cursor.position))):
                raise ValueError(cursor)
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
