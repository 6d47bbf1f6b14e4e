"""What the tests of pages look at: a page as elements, not as text."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.http import HttpResponse

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "use"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text below, white space as one blank."""
        return " ".join("".join(one if isinstance(one, str) else f" {one.text} " for one in self.children).split())

    @property
    def raw(self) -> str:
        return "".join(one if isinstance(one, str) else one.raw for one in self.children)

    def walk(self) -> list["Element"]:
        return [self, *(inner for one in self.children if isinstance(one, Element) for inner in one.walk())]

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Descendants with this tag and these attributes; `css` is one class among others."""
        css = attributes.pop("css", None)
        return [
            one
            for one in self.walk()
            if one.tag == tag
            and all(
                one.attributes.get(name.rstrip("_").replace("_", "-")) == value for name, value in attributes.items()
            )
            and (css is None or css in one.attributes.get("class", "").split())
        ]

    def one(self, tag: str, **attributes: str) -> "Element":
        (found,) = self.all(tag, **attributes)
        return found

    def by_id(self, name: str) -> "Element":
        (found,) = [one for one in self.walk() if one.attributes.get("id") == name]
        return found


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(response: HttpResponse) -> Element:
    """The page as a tree; every element must be closed in its order, and every id be there once."""
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    reader = Reader()
    reader.feed(response.content.decode())
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is not closed"
    ids = [one.attributes["id"] for one in reader.root.walk() if "id" in one.attributes]
    assert sorted(set(ids)) == sorted(ids), sorted(one for one in set(ids) if ids.count(one) > 1)
    return reader.root


def job_ids(page: Element) -> list[str]:
    """The jobs of a list, as their rows say, in order."""
    return [
        row.attributes["id"].removeprefix("job-")
        for row in page.all("tr")
        if row.attributes.get("id", "").startswith("job-")
    ]
