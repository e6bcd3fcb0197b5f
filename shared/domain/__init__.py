"""The terms of SERA, as plain types without any framework."""
