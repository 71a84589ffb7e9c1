"""Other people's clients, each run in an environment of its own that holds the pins of the .txt file beside it."""
