"""Pre-trained weights: found in a folder or downloaded, and read from several formats."""
