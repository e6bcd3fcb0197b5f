"""Server-rendered pages with small ES modules of our own."""
