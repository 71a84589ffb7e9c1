"""The sample database: three years of a coffee and tea retailer, made anew for any day."""
