"""The Docker stack: images, services, and the secrets that they share."""
