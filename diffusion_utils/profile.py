"""How large a chapter's run is: BOOK_PROFILE=full (the default) or fast (for tests)."""

import os

PROFILE = os.environ.get("BOOK_PROFILE", "full")
if PROFILE not in ("full", "fast"):
    raise ValueError(f"BOOK_PROFILE must be full or fast, got {PROFILE!r}")


def by_profile(full, fast):
    """The value for this run: `full` for the book, `fast` where the code only has to be run."""
    return full if PROFILE == "full" else fast
