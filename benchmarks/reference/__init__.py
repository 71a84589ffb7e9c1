"""A plain Chainlit and LangChain app with the same tools, to measure ours against."""
