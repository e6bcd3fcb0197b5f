"""The action for each attribute of a DICOM header.

The table is the basic profile of PS3.15, Annex E, for the attributes of an ultrasound image. An
attribute that is not in this module is dropped, so that private and unknown attributes need not be
listed.
"""

from enum import StrEnum

from shared.imaging.dicom.dataset import INTERPRETATIONS

METHOD = "SERA PS3.15 basic profile, version 1"
"""The value of DeidentificationMethod. Another table or rule needs another version."""


class Action(StrEnum):
    """Action codes of PS3.15, table E.1-1a.

    For a choice such as X/Z/D the first action is performed, which is the strictest one.
    """

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
    def performed(self) -> str:
        """The code of the action that is performed."""
        return self[0]


PROFILE: dict[Action, tuple[str, ...]] = {
    Action.EMPTY: (
        "AccessionNumber",
        "PatientBirthDate",
        "PatientSex",
        "ReferringPhysicianName",
        "StudyDate",
        "StudyID",
        "StudyTime",
    ),
    Action.EMPTY_OR_DUMMY: (
        "ContentCreatorName",
        "ContentDate",
        "ContentTime",
        "ContrastBolusAgent",
        "PatientID",
        "PatientName",
        "VerifyingObserverName",
    ),
    Action.REMOVE: (
        "AcquisitionComments",
        "AcquisitionProtocolDescription",
        "AdditionalPatientHistory",
        "AdmissionID",
        "AdmittingDate",
        "AdmittingDiagnosesDescription",
        "AdmittingTime",
        "Allergies",
        "CommentsOnThePerformedProcedureStep",
        "ConfidentialityCode",
        "CountryOfResidence",
        "CurrentPatientLocation",
        "DataSetTrailingPadding",
        "DerivationDescription",
        "DigitalSignaturesSequence",
        "EthnicGroup",
        "FrameComments",
        "IconImageSequence",
        "ImageComments",
        "ImagePresentationComments",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "InsurancePlanIdentification",
        "IssuerOfPatientID",
        "LastMenstrualDate",
        "MACParametersSequence",
        "MedicalAlerts",
        "MedicalRecordLocator",
        "MilitaryRank",
        "ModifiedAttributesSequence",
        "NameOfPhysiciansReadingStudy",
        "Occupation",
        "OriginalAttributesSequence",
        "OtherPatientIDs",
        "OtherPatientIDsSequence",
        "OtherPatientNames",
        "PatientAddress",
        "PatientAge",
        "PatientBirthName",
        "PatientBirthTime",
        "PatientComments",
        "PatientMotherBirthName",
        "PatientPrimaryLanguageCodeSequence",
        "PatientReligiousPreference",
        "PatientSize",
        "PatientTelephoneNumbers",
        "PatientWeight",
        "PerformedLocation",
        "PerformedProcedureStepDescription",
        "PerformedProcedureStepID",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "PerformedStationName",
        "PerformingPhysicianName",
        "PersonAddress",
        "PersonTelephoneNumbers",
        "PhysiciansOfRecord",
        "PregnancyStatus",
        "ReasonForStudy",
        "ReferencedPatientSequence",
        "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers",
        "RegionOfResidence",
        "RequestAttributesSequence",
        "RequestedProcedureComments",
        "RequestingPhysician",
        "RequestingService",
        "ResponsibleOrganization",
        "ResponsiblePerson",
        "ScheduledProcedureStepDescription",
        "SeriesDescription",
        "SmokingStatus",
        "SpecialNeeds",
        "StudyComments",
        "StudyDescription",
        "TimezoneOffsetFromUTC",
        "VisitComments",
    ),
    Action.REMOVE_OR_EMPTY: (
        "AcquisitionContextSequence",
        "AcquisitionDate",
        "AcquisitionTime",
        "OverlayDate",
        "OverlayTime",
        "ReferencedStudySequence",
        "RequestedProcedureDescription",
    ),
    Action.REMOVE_OR_DUMMY: (
        "AcquisitionDeviceProcessingDescription",
        "PatientPosition",
        "ProtocolName",
        "SeriesDate",
        "SeriesTime",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "DetectorID",
        "LensSpecification",
    ),
    Action.REMOVE_EMPTY_OR_DUMMY: (
        "AcquisitionDateTime",
        "DeviceSerialNumber",
        "InstitutionCodeSequence",
        "InstitutionName",
        "OperatorsName",
        "PerformedProcedureStepEndDate",
        "StationName",
    ),
    Action.REMOVE_EMPTY_OR_UID: ("ReferencedImageSequence", "SourceImageSequence"),
    Action.UID: (
        "FrameOfReferenceUID",
        "InstanceCreatorUID",
        "ReferencedSOPInstanceUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "StudyInstanceUID",
        "SynchronizationFrameOfReferenceUID",
        "DeviceUID",
    ),
}
ACTIONS = {
    keyword: action for action, keywords in PROFILE.items() for keyword in keywords
}
EMPTIED_ATTRIBUTES = tuple(
    keyword for keyword, action in ACTIONS.items() if action.performed == "Z"
)
REPLACED_UIDS = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
)
"""The attributes with action U that an image needs.

The others refer to objects outside the file and are removed.
"""


MAX_TABLE_VALUES = 100_000
ALLOWED_VALUES: dict[str, frozenset[str | int]] = {
    "FrameIncrementPointer": frozenset((0x0018_1063, 0x0018_1065)),
    "BurnedInAnnotation": frozenset(("YES", "NO")),
    "LossyImageCompression": frozenset(("00", "01")),
    "Modality": frozenset(
        ("US", "IVUS", "OT", "SC", "MR", "CT", "NM", "PT", "CR", "DX", "XA", "MG", "RF")
    ),
    "PhotometricInterpretation": frozenset(INTERPRETATIONS),
    "PresentationLUTShape": frozenset(("IDENTITY", "INVERSE")),
    "VOILUTFunction": frozenset(("LINEAR", "LINEAR_EXACT", "SIGMOID")),
}
"""Attributes with a fixed set of values from the standard, so that no free text is copied.

The values of FrameIncrementPointer are the tags of the frame times.
"""

_LUT = {"LUTDescriptor": 3, "LUTData": MAX_TABLE_VALUES}
_REGION = (
    "RegionSpatialFormat",
    "RegionDataType",
    "RegionFlags",
    "TransducerFrequency",
    "PixelComponentOrganization",
    "RegionLocationMinX0",
    "RegionLocationMinY0",
    "RegionLocationMaxX1",
    "RegionLocationMaxY1",
    "ReferencePixelX0",
    "ReferencePixelY0",
    "ReferencePixelPhysicalValueX",
    "ReferencePixelPhysicalValueY",
    "PhysicalUnitsXDirection",
    "PhysicalUnitsYDirection",
    "PhysicalDeltaX",
    "PhysicalDeltaY",
)
NESTED_NUMERIC_ATTRIBUTES: dict[str, dict[str, int]] = {
    "ModalityLUTSequence": _LUT,
    "PresentationLUTSequence": _LUT,
    "SequenceOfUltrasoundRegions": dict.fromkeys(_REGION, 1),
    "VOILUTSequence": _LUT,
}
NUMERIC_ATTRIBUTES: dict[str, int] = {
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
"""Attributes that decoding needs, and the largest number of values.

A file with a value that is not a number is refused, as decoding would refuse it.
"""
TIMING_ATTRIBUTES: dict[str, int] = {
    **dict.fromkeys(
        ("FrameTime", "CineRate", "RecommendedDisplayFrameRate", "FrameDelay"), 1
    ),
    "FrameTimeVector": MAX_TABLE_VALUES,
}
"""Decoding does not need these, so a value that is not a number is only dropped."""
PALETTE_ATTRIBUTES = tuple(
    f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")
)
DEVICE_ATTRIBUTES = ("Manufacturer", "ManufacturerModelName")
