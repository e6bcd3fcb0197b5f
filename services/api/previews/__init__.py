"""The route that previews an image before it becomes a case."""
