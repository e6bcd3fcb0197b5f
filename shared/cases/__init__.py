"""What is done with a case, whoever brings or asks for it: the gateway, a worker, a command."""
