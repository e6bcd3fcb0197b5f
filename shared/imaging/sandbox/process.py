"""`python -m shared.imaging.sandbox.process MIB`: decodes and de-identifies in a sandbox."""

from pydicom.pixels import get_decoder
from pydicom.uid import RLELossless

from shared.imaging.sandbox.jobs import do_job
from shared.sandbox.server import serve


def preload_decoders() -> None:
    """Load the decoder that pydicom would otherwise load with the first image."""
    get_decoder(RLELossless).is_available  # noqa: B018 (the attribute loads it)


if __name__ == "__main__":
    preload_decoders()
    serve(do_job)
