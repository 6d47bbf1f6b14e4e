"""The OpenAPI document, made once by each process of the web: it takes seconds, and anybody may ask for it."""

import threading
from typing import Any

from django.http import HttpResponse
from django.utils import translation
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

_made: dict[str, bytes] = {}
_making = threading.Lock()


class DocumentView(SpectacularAPIView):
    """It says the same to all, in English, and nothing of who asks goes into it."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: Any = request.accepted_renderer
        # others wait for it, rather than make it beside
        with _making:
            if renderer.format not in _made:
                _made[renderer.format] = self.rendered(renderer)
        return HttpResponse(
            _made[renderer.format],
            content_type=f"{renderer.media_type}; charset=utf-8",
            headers={"Content-Disposition": f'inline; filename="smartqueue.{renderer.format}"'},
        )

    def rendered(self, renderer: Any) -> bytes:
        with translation.override("en"):
            document = self.generator_class().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
            made: bytes | str = renderer.render(document, renderer.media_type, {"request": None, "view": self})
        return made if isinstance(made, bytes) else made.encode()
