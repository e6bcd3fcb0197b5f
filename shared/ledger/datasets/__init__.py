"""Datasets: drafts, frozen versions, consents, pseudonyms."""
