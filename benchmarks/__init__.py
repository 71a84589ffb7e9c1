"""The stand-in model server, and how long a question takes."""
