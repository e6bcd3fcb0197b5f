"""De-identification of raster formats and of compressed DICOM frames."""
