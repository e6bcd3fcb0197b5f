"""Jobs: a hospital's own, the queue that workers claim from, dead letters, and the backlog."""
