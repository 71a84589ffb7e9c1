"""What the server serves beside the chat: the API, health and metrics, and who may call them."""
