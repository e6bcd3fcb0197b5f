"""Finds pre-trained weights in a folder or downloads them, and reads several formats."""
