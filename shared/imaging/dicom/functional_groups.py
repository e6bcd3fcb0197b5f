"""Moves the grey levels of enhanced files to where other files have them.

Enhanced multi-frame objects keep rescale and window in functional groups, for all frames or for
each (PS3.3, C.7.6.16.2).
"""

from pydicom.dataset import Dataset

GROUP_SEQUENCES = (
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
GREY_ATTRIBUTES = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": (
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "VOILUTSequence",
    ),
}
"""The attributes of the greyscale pipeline in each macro (PS3.3, C.7.6.16.2.9 and 2.10)."""


def flatten_grey_groups(dataset: Dataset) -> list[str]:
    """Copy rescale and window from the functional groups to the data set itself.

    Returns
    -------
    keywords of the attributes in which frames differ, which are left aside
    """
    left_aside: list[str] = []
    groups = [
        group for keyword in GROUP_SEQUENCES for group in dataset.get(keyword) or ()
    ]
    for sequence, keywords in GREY_ATTRIBUTES.items():
        items = [item for group in groups for item in group.get(sequence) or ()]
        for keyword in keywords:
            elements = [item[keyword] for item in items if keyword in item]
            if any(element != elements[0] for element in elements):
                left_aside.append(keyword)
            elif elements:
                dataset[keyword] = elements[0]
    return left_aside
