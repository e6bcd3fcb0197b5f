"""The result of a case as plain data: prediction, findings, FNA advice, result."""
