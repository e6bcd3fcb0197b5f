"""Where the region comes from that a result is about."""

from enum import StrEnum


class RoiSource(StrEnum):
    """How the region of a nodule became known."""

    READER = "reader"
    """the ROI or the mask that came with the image"""
    CALIPERS = "calipers"
    """burnt-in caliper marks, which enclose it"""
    NETWORK = "network"
    """the model's outline network, which found it"""
