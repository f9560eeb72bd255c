"""Linear models of all tasks together, which differ in how they relate the tasks' weights."""
