"""Reading a suite: from the text of a file to a Suite, and from a Suite to its trials."""
