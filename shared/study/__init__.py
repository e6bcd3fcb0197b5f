"""The papers' experiment on a folder of labelled images, and its report."""
