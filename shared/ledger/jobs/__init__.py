"""Jobs: what a hospital sees of them, the queue that workers claim from, and the backlog."""
