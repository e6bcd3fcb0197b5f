"""The answer to a case as plain data: prediction, findings, FNA advice, result."""
