"""When charts were drawn: they are drawn again now and then, not at every poll."""

from dataclasses import dataclass

# Charts are drawn again at most once in CHARTS_SECONDS, and without a move only once in CHARTS_IDLE of these.
CHARTS_SECONDS, CHARTS_IDLE = 15, 20


@dataclass(frozen=True, slots=True)
class Drawn:
    """When charts were drawn, in units of CHARTS_SECONDS, and after which moves."""

    at: int
    moves: str

    @staticmethod
    def parse(text: str) -> "Drawn | None":
        at, _, moves = text.partition("-")
        return Drawn(int(at), moves) if at.isdecimal() and len(at) < 12 else None

    def __str__(self) -> str:
        return f"{self.at}-{self.moves}"

    def replaces(self, shown: "Drawn") -> bool:
        """Time alone moves them too, if slowly."""
        age = self.at - shown.at
        return age >= CHARTS_IDLE or (age > 0 and self.moves != shown.moves)
