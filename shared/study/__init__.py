"""Studies: the experiment of the papers on a folder of labelled images, and its report."""
