"""How subscribers are told: signed, posted, mailed, and tried again."""
