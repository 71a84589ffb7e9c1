"""What a person sees: the parts of the chat that app.py puts together."""
