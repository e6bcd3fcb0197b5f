"""Pre-trained weights: found in a folder, downloaded, or converted from other formats."""
