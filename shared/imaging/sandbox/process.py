"""`python -m shared.imaging.sandbox.process MIB`: decodes and de-identifies in a sandbox."""

from pydicom.pixels import get_decoder, get_encoder
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from shared.imaging.sandbox.jobs import do_job
from shared.sandbox.server import serve


def preload_decoders() -> None:
    """Load the decoders that the libraries would otherwise load with the first image."""
    for syntax in (JPEGBaseline8Bit, JPEG2000, RLELossless):
        get_decoder(syntax).is_available  # noqa: B018 (the attribute loads it)
    get_encoder(JPEG2000Lossless).is_available  # noqa: B018 (the same)


if __name__ == "__main__":
    preload_decoders()
    serve(do_job)
