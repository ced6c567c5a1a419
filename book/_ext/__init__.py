"""What the book's build adds to Jupyter Book: one Sphinx extension, one job a file.

Extensions of a page: equations, gallery, live (with forms), pictures, social, timings, accessible, address. What is
executed: stale (what has to be), execute (in parallel). Commands, each `python -m _ext.NAME`: execute, pairs, address,
check_site, pdf. `toc` lists the pages, `sources` what `make serve` watches.
"""

PARTS = (
    "accessible",
    "address",
    "equations",
    "gallery",
    "live",
    "pictures",
    "social",
    "stale",
    "timings",
)


def setup(app):
    for part in PARTS:
        app.setup_extension(f"_ext.{part}")
    return {"parallel_read_safe": True, "parallel_write_safe": False}
