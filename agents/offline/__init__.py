"""Does the model's work by rules: writes SQL, tells the rows, suggests what to ask next."""
