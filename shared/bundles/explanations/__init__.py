"""Where a model looked: occlusion maps, Grad-CAM, and the deletion test."""
