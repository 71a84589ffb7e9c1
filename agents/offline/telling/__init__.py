"""Words for rows and for plans."""
