"""The model endpoints: chat and embeddings."""
