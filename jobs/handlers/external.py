"""external: work for an organisation's own workers, which ask for it over HTTP (docs/own-workers.md)."""

from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Handler, HandlerNotReady, PermanentFailure

NOT_OURS = "Jobs of the type external are for an organisation's own workers; this one runs none."


class ExternalHandler(Handler):
    type = "external"
    title = gettext_noop("Own worker")
    description = gettext_noop("Waits until a worker of your own takes it, over HTTP, and says how it ended.")
    ours = False
    # Its worker has secrets of its own; ours stay here.
    secret_fields = ()
    schema = {
        "type": "object",
        "properties": {
            "task": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
                "description": "What is to be done, in the words of your worker.",
            },
            "input": {"description": "What it is to be done with: any JSON."},
        },
        "required": ["task"],
        "additionalProperties": False,
    }
    example = {"task": "resize", "input": {"image": "cat.png", "width": 320}}

    def prepare(self) -> None:
        raise HandlerNotReady(NOT_OURS)

    def run(self, context: Context) -> Answer:
        """Of a worker that was made to take what is not for it: no other of ours could run it either."""
        raise PermanentFailure(NOT_OURS)
