"""Errors of the object store."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Conflict, InputError, SeraError, StorageFull, Unavailable
from shared.observability.disk_space import is_disk_full


class ObjectsUnavailable(Unavailable):
    code = "objects-unavailable"
    text = (
        "The object store cannot be used at the moment ({problem}). Nothing was lost; try again "
        "shortly."
    )


class ObjectsRefused(SeraError):
    code = "objects-refused"
    text = (
        "The object store refused SERA ({problem}). Check the key, the secret and the rights on "
        "the bucket."
    )


class ObjectDamaged(Conflict):
    """The store responds, but the object is not there as it was written. A retry does not help."""


class ObjectMissing(ObjectDamaged):
    code = "object-missing"
    status = 410
    text = (
        "The object store holds nothing under {key}. Restore it from a backup, or send the "
        "original again."
    )


class ObjectCorrupt(ObjectDamaged):
    code = "object-corrupt"
    text = (
        "The object {key} no longer matches its hash. Delete it, then restore it from a backup or "
        "send it again."
    )


class KeyInvalid(InputError):
    code = "object-key-invalid"
    text = (
        "The object key {key!r} cannot be used. Join parts of letters, digits and . _ - by /, none "
        "starting with a dot."
    )


class StoreUrlInvalid(SeraError):
    code = "objects-url-invalid"
    text = (
        "The object store's address cannot be used: {problem}. "
        "Write file:///absolute/folder, or s3://KEY:SECRET@host:port/bucket "
        "with any / + @ : of key and secret percent-encoded."
    )


@contextmanager
def translate_os_errors(content: str) -> Iterator[None]:
    """Turn errors of the file system into StorageFull or ObjectsUnavailable.

    With a full, read-only or unmounted disk the object store cannot be used for now.
    """
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageFull(what=content) from error
        raise ObjectsUnavailable(
            problem=error.strerror or type(error).__name__
        ) from error
