"""Training: a frozen dataset and a recipe become a bundle in the ledger, step by step."""
