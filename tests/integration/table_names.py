"""The names of all tables: the service tells a hundred at a time."""

from __future__ import annotations

from typing import Any


def table_names(client: Any) -> list[str]:
    """All tables of a stock client's region and account."""
    return [name for page in client.get_paginator("list_tables").paginate() for name in page["TableNames"]]
