"""DICOM images: reading, greyscale pipeline, palettes, calibration, scanner model."""
