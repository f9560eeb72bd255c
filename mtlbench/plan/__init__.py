"""What a suite would run: its data, what cannot go together, what earlier runs left, and what is to be done."""
