"""The language of the pages: by the person's choice (a cookie), else by what the browser asks for."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

# What programs read says the same to everybody.
ONE_LANGUAGE = ("/api/", "/healthz", "/readyz", "/metrics")


class PageLanguageMiddleware(LocaleMiddleware):
    """Django's, for pages alone."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith(ONE_LANGUAGE):
            return super().process_request(request)
        translation.activate("en")
        request.LANGUAGE_CODE = "en"
        return None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path.startswith(ONE_LANGUAGE):
            return response
        return super().process_response(request, response)
