"""What words may mean in one database."""
