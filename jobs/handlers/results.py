class BadResult(ValueError):
    pass


def json_result(value):
    return value
