"""Routes of the people who sign in."""
