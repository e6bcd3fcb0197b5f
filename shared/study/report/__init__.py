"""A study's report: tables, figures, comparisons, the page."""
