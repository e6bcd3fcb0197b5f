"""The pages of operators and administrators."""
