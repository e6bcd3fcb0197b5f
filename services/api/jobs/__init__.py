"""Routes that show jobs, wait for their results, cancel them and run them again."""
