"""What the analyst knows of English, whatever the database."""
