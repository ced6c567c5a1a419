"""What `make serve` watches."""

from watchfiles import DefaultFilter


class Sources(DefaultFilter):
    """No notebooks: `make pairs` writes them, by way of files with other names."""

    ignore_entity_patterns = (*DefaultFilter.ignore_entity_patterns, r"\.ipynb$")
