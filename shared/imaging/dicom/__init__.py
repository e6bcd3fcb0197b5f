"""DICOM images: reading, greyscale pipeline, palettes, calibration, device."""
