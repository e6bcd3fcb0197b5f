"""Labelled images as plain data: the manifest file, and the split into training and test part."""
