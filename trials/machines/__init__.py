"""Measures models on other machines than those that their training images are from."""
