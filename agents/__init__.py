"""The agents: who takes a question to its answer. Plain asyncio orders them, in `ask.py`."""
