"""`python -m shared.bundles.check_process MIB`: loads bundles from outside in a sandbox."""

import torch

from shared.bundles.first_load import refusal_message
from shared.bundles.loading import BUNDLE_ERRORS, load_contents
from shared.networks.libraries import torchvision_network
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


def warm_up() -> None:
    """Run a network once, while this process may still look for what the libraries ask.

    PyTorch and torchvision read facts about the processor and look for a folder for temporary files
    when the first network is built and run.
    """
    network = torchvision_network("squeezenet1_1").eval()
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 64))


if __name__ == "__main__":
    warm_up()
    serve(BundleCheck().answer)
