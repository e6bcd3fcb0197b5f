"""Routes of the worklist and its export."""
