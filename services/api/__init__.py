"""The gateway: accepts requests over HTTP and queues the work. It never loads a model."""
