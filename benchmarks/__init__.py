"""The stand-in model server, the load generators and their reports."""
