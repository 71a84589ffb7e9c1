"""The tools: what touches the database, the index, a chart or a file. No tool knows a model or a chat."""
