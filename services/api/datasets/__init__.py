"""Routes of datasets: drafts of labelled images, and frozen versions."""
