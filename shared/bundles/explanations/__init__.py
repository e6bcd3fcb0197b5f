"""Explains a prediction: occlusion maps, Grad-CAM, and the deletion test of both."""
