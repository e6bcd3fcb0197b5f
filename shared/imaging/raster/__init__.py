"""Reads raster files: PNG, JPEG, BMP, TIFF, WebP and HEIC."""
