from jobs.handlers.base import Answer, Context, Done, Handler

TASKS = {}


def task(function):
    TASKS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function
    return function


class PythonTaskHandler(Handler):
    type = "python"
    title = "Python task"
    schema = {"type": "object"}
    example = {}

    def run(self, context: Context) -> Answer:
        return Done(TASKS[context.payload["task"]](**context.payload.get("kwargs", {})))
