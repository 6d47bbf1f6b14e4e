from jobs.handlers.base import Answer, Context, Done, Handler


class ShellHandler(Handler):
    type = "shell"
    title = "shell"
    schema = {"type": "object"}
    example = {}

    def run(self, context: Context) -> Answer:
        return Done()
