"""What becomes of each attribute: the basic profile of PS3.15, Annex E, as far as an ultrasound image carries it.

Whatever is named neither here nor in `KEPT` is dropped too, so private and unknown attributes go without being listed.
"""

from enum import StrEnum

METHOD = "SERA PS3.15 basic profile, version 1"
"""Goes into DeidentificationMethod; another table or rule is another version."""


class Action(StrEnum):
    """Action codes of PS3.15, table E.1-1a; of a choice such as X/Z/D the first letter, the strictest, is done."""

    EMPTY = "Z"
    REMOVE = "X"
    REMOVE_OR_EMPTY = "X/Z"
    REMOVE_OR_DUMMY = "X/D"
    REMOVE_EMPTY_OR_DUMMY = "X/Z/D"
    REMOVE_EMPTY_OR_UID = "X/Z/U*"
    EMPTY_OR_DUMMY = "Z/D"
    DUMMY = "D"
    UID = "U"

    @property
    def done(self) -> str:
        return self[0]


PROFILE: dict[Action, tuple[str, ...]] = {
    Action.EMPTY: (
        *(
            "AccessionNumber",
            "PatientBirthDate",
            "PatientSex",
            "ReferringPhysicianName",
        ),
        *("StudyDate", "StudyID", "StudyTime"),
    ),
    Action.EMPTY_OR_DUMMY: (
        *(
            "ContentCreatorName",
            "ContentDate",
            "ContentTime",
            "ContrastBolusAgent",
            "PatientID",
            "PatientName",
        ),
        "VerifyingObserverName",
    ),
    Action.REMOVE: (
        *(
            "AcquisitionComments",
            "AcquisitionProtocolDescription",
            "AdditionalPatientHistory",
            "AdmissionID",
        ),
        *(
            "AdmittingDate",
            "AdmittingDiagnosesDescription",
            "AdmittingTime",
            "Allergies",
            "CommentsOnThePerformedProcedureStep",
        ),
        *(
            "ConfidentialityCode",
            "CountryOfResidence",
            "CurrentPatientLocation",
            "DataSetTrailingPadding",
        ),
        *(
            "DerivationDescription",
            "DigitalSignaturesSequence",
            "EthnicGroup",
            "FrameComments",
            "IconImageSequence",
        ),
        *(
            "ImageComments",
            "ImagePresentationComments",
            "InstitutionAddress",
            "InstitutionalDepartmentName",
        ),
        *(
            "InsurancePlanIdentification",
            "IssuerOfPatientID",
            "LastMenstrualDate",
            "MACParametersSequence",
        ),
        *(
            "MedicalAlerts",
            "MedicalRecordLocator",
            "MilitaryRank",
            "ModifiedAttributesSequence",
        ),
        *(
            "NameOfPhysiciansReadingStudy",
            "Occupation",
            "OriginalAttributesSequence",
            "OtherPatientIDs",
        ),
        *(
            "OtherPatientIDsSequence",
            "OtherPatientNames",
            "PatientAddress",
            "PatientAge",
            "PatientBirthName",
        ),
        *(
            "PatientBirthTime",
            "PatientComments",
            "PatientMotherBirthName",
            "PatientPrimaryLanguageCodeSequence",
        ),
        *(
            "PatientReligiousPreference",
            "PatientSize",
            "PatientTelephoneNumbers",
            "PatientWeight",
        ),
        *(
            "PerformedLocation",
            "PerformedProcedureStepDescription",
            "PerformedProcedureStepID",
        ),
        *(
            "PerformedProcedureStepStartDate",
            "PerformedProcedureStepStartTime",
            "PerformedStationName",
        ),
        *(
            "PerformingPhysicianName",
            "PersonAddress",
            "PersonTelephoneNumbers",
            "PhysiciansOfRecord",
        ),
        *(
            "PregnancyStatus",
            "ReasonForStudy",
            "ReferencedPatientSequence",
            "ReferringPhysicianAddress",
        ),
        *(
            "ReferringPhysicianTelephoneNumbers",
            "RegionOfResidence",
            "RequestAttributesSequence",
        ),
        *(
            "RequestedProcedureComments",
            "RequestingPhysician",
            "RequestingService",
            "ResponsibleOrganization",
        ),
        *(
            "ResponsiblePerson",
            "ScheduledProcedureStepDescription",
            "SeriesDescription",
            "SmokingStatus",
        ),
        *(
            "SpecialNeeds",
            "StudyComments",
            "StudyDescription",
            "TimezoneOffsetFromUTC",
            "VisitComments",
        ),
    ),
    Action.REMOVE_OR_EMPTY: (
        *(
            "AcquisitionContextSequence",
            "AcquisitionDate",
            "AcquisitionTime",
            "OverlayDate",
            "OverlayTime",
        ),
        *("ReferencedStudySequence", "RequestedProcedureDescription"),
    ),
    Action.REMOVE_OR_DUMMY: (
        *(
            "AcquisitionDeviceProcessingDescription",
            "PatientPosition",
            "ProtocolName",
            "SeriesDate",
            "SeriesTime",
        ),
        *(
            "InstanceCreationDate",
            "InstanceCreationTime",
            "DetectorID",
            "LensSpecification",
        ),
    ),
    Action.REMOVE_EMPTY_OR_DUMMY: (
        *(
            "AcquisitionDateTime",
            "DeviceSerialNumber",
            "InstitutionCodeSequence",
            "InstitutionName",
            "OperatorsName",
        ),
        *("PerformedProcedureStepEndDate", "StationName"),
    ),
    Action.REMOVE_EMPTY_OR_UID: ("ReferencedImageSequence", "SourceImageSequence"),
    Action.UID: (
        *(
            "FrameOfReferenceUID",
            "InstanceCreatorUID",
            "ReferencedSOPInstanceUID",
            "SOPInstanceUID",
        ),
        *(
            "SeriesInstanceUID",
            "StudyInstanceUID",
            "SynchronizationFrameOfReferenceUID",
            "DeviceUID",
        ),
    ),
}
ACTIONS = {
    keyword: action for action, keywords in PROFILE.items() for keyword in keywords
}
EMPTIED = tuple(keyword for keyword, action in ACTIONS.items() if action.done == "Z")
REHASHED = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
)
"""Of the U attributes those that an image needs to be one; the others refer to what is not here, and go."""


MANY = 100_000
WORDS: dict[str, frozenset[str | int]] = {
    "FrameIncrementPointer": frozenset((0x0018_1063, 0x0018_1065)),
    "BurnedInAnnotation": frozenset(("YES", "NO")),
    "LossyImageCompression": frozenset(("00", "01")),
    "Modality": frozenset(
        ("US", "IVUS", "OT", "SC", "MR", "CT", "NM", "PT", "CR", "DX", "XA", "MG", "RF")
    ),
    "PhotometricInterpretation": frozenset(
        (
            *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"),
            *("YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420"),
        )
    ),
    "PresentationLUTShape": frozenset(("IDENTITY", "INVERSE")),
    "VOILUTFunction": frozenset(("LINEAR", "LINEAR_EXACT", "SIGMOID")),
}
"""Words of the standard (and the tags of frame times): free text cannot hide among them."""

_LUT = {"LUTDescriptor": 3, "LUTData": MANY}
_REGION = (
    *(
        "RegionSpatialFormat",
        "RegionDataType",
        "RegionFlags",
        "TransducerFrequency",
        "PixelComponentOrganization",
    ),
    *(
        "RegionLocationMinX0",
        "RegionLocationMinY0",
        "RegionLocationMaxX1",
        "RegionLocationMaxY1",
    ),
    *(
        "ReferencePixelX0",
        "ReferencePixelY0",
        "ReferencePixelPhysicalValueX",
        "ReferencePixelPhysicalValueY",
    ),
    *(
        "PhysicalUnitsXDirection",
        "PhysicalUnitsYDirection",
        "PhysicalDeltaX",
        "PhysicalDeltaY",
    ),
)
NESTED: dict[str, dict[str, int]] = {
    "ModalityLUTSequence": _LUT,
    "SequenceOfUltrasoundRegions": dict.fromkeys(_REGION, 1),
    "VOILUTSequence": _LUT,
}
NUMBERS: dict[str, int] = {
    **dict.fromkeys(
        ("Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "NumberOfFrames"),
        1,
    ),
    **dict.fromkeys(
        ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"), 1
    ),
    **dict.fromkeys(("PixelSpacing", "PixelAspectRatio"), 2),
    **dict.fromkeys(
        (
            "RescaleSlope",
            "RescaleIntercept",
            "PixelPaddingValue",
            "UltrasoundColorDataPresent",
        ),
        1,
    ),
    **dict.fromkeys(("WindowCenter", "WindowWidth"), 16),
    **{
        f"{colour}PaletteColorLookupTableDescriptor": 3
        for colour in ("Red", "Green", "Blue")
    },
}
"""What decoding reads, by the most numbers it may hold; a file whose value is none is refused, as decoding would."""
TIMING: dict[str, int] = {
    **dict.fromkeys(
        ("FrameTime", "CineRate", "RecommendedDisplayFrameRate", "FrameDelay"), 1
    ),
    "FrameTimeVector": MANY,
}
"""Nothing is decoded by these, so one that is no number is only dropped."""
TABLES = tuple(
    f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")
)
DEVICE = ("Manufacturer", "ManufacturerModelName")
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
