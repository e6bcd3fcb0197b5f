"""Reads an uploaded table within bounds, because it is held in memory as rows."""

from fastapi import UploadFile

from shared.domain.datasets.table_text import TableFault

MAX_TABLE_ROWS = 20_000
"""About 30 MiB of memory."""
MAX_TABLE_BYTES = 4 * 2**20


def table_source(upload: UploadFile | str) -> bytes | str:
    """Return a table that was sent as a file or as a text field.

    Raises TableFault for more than MAX_TABLE_BYTES.
    """
    if isinstance(upload, str):
        source: bytes | str = upload
    else:
        source = upload.file.read(MAX_TABLE_BYTES + 1)
    if len(source) > MAX_TABLE_BYTES:
        raise TableFault("table-too-large", limit_mib=MAX_TABLE_BYTES // 2**20)
    return source
