"""SmartQueue alone."""


def main(names: list[str]) -> None:
    raise SystemExit(names)
