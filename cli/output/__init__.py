"""What commands print: lists, results, progress."""
