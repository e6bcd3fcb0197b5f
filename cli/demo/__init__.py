"""The demo: its people, its model, its cases."""
