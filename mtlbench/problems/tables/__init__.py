"""Tables of the user's own: CSV, Parquet, ARFF and MATLAB."""
