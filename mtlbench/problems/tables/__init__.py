"""Problems from the user's tables: CSV, Parquet, ARFF and MATLAB."""
