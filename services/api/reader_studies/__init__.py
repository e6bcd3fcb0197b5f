"""Routes of reader studies: setting up, reading and analysis."""
