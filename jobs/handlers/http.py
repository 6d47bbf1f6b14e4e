from jobs.handlers.base import Answer, Context, Done, Handler


class HttpHandler(Handler):
    type = "http"
    title = "http"
    schema = {"type": "object"}
    example = {}

    def run(self, context: Context) -> Answer:
        return Done()
