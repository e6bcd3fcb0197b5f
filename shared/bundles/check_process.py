"""`python -m shared.bundles.check_process MIB`: loads bundles from outside in a sandbox."""

from shared.bundles.first_load import refusal_message
from shared.bundles.loading import BUNDLE_ERRORS, load_contents
from shared.sandbox.channel import Head
from shared.sandbox.server import serve


class BundleCheck:
    """Collects the files of a bundle, then loads it."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def answer(self, request: Head, data: bytes) -> tuple[Head, bytes]:
        if request["path"] is not None:
            self._contents[request["path"]] = data
            return {}, b""
        contents, self._contents = self._contents, {}
        try:
            load_contents(contents, request["digest"])
        except BUNDLE_ERRORS as refusal:
            return refusal_message(refusal), b""
        return {"loaded": True}, b""


if __name__ == "__main__":
    serve(BundleCheck().answer)
