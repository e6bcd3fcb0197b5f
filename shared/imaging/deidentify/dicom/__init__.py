"""De-identification of DICOM files."""
